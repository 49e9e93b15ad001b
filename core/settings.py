"""Process settings: the one place that reads the environment (and `.env` in the working folder)."""

import hashlib
import tempfile
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST_RUN_DIR = 60  # bytes: a Unix socket's path may have 107, and the longest name here has 46


class Settings(BaseSettings):
    """Where Botyard lives, listens and keeps its rows."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", populate_by_name=True,
        env_prefix="BOTYARD_",  # by name too: without it `home` would be read from HOME, `host` from HOST
    )  # fmt: skip

    home: Path = Field(Path("data"), alias="BOTYARD_HOME", description="Folder for all that Botyard keeps.")
    host: str = Field("127.0.0.1", alias="BOTYARD_HOST", description="Address that the web process binds.")
    port: int = Field(8002, alias="BOTYARD_PORT", ge=1, le=65535, description="Port of panel and widgets.")
    public_url: str = Field(
        "",
        alias="BOTYARD_PUBLIC_URL",
        description="The address that visitors and webhooks use; snippets and links are made from it.",
    )
    database: str = Field(
        "", alias="DATABASE_URL", description="PostgreSQL address; empty: SQLite in BOTYARD_HOME."
    )
    redis_url: str = Field(
        "",
        alias="REDIS_URL",
        description="Redis in which several machines share what rests; empty: a file in BOTYARD_HOME.",
    )
    media_url: str = Field(
        "",
        alias="MEDIA_URL",
        description="S3 address for what is made (s3://bucket?endpoint=...); empty: BOTYARD_HOME/media.",
    )
    job_queues: str = Field(
        "gpu=4,cloud=8",
        alias="BOTYARD_JOB_QUEUES",
        pattern=r"^[a-z0-9_-]{1,16}=[0-9]{1,3}(,[a-z0-9_-]{1,16}=[0-9]{1,3})*$",
        description="Queues that this machine's runner listens to, and how many jobs of each run at once; "
        "gpu is for engine hosts, cloud for vendors.",
    )
    task_ttl_hours: float = Field(
        24.0, alias="TASK_TTL_HOURS", gt=0, le=24 * 365, description="Hours that a job may wait."
    )
    engine_port: int = Field(
        8003, alias="BOTYARD_ENGINE_PORT", ge=1, le=65535, description="Loopback port of the engine host."
    )
    engine_device: str = Field(
        "auto",
        alias="BOTYARD_ENGINE_DEVICE",
        pattern="^(auto|cuda|cpu|fake)$",
        description="What the engine host computes on; fake draws test pictures without a model.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        alias="BOTYARD_SECRET_KEY",
        description="32 bytes in hex or base64 that seal secrets in the database; "
        "empty: made once in BOTYARD_HOME/secret.key.",
    )
    admin_token: SecretStr = Field(
        SecretStr(""),
        alias="BOTYARD_ADMIN_TOKEN",
        description="A fixed bearer token for the APIs; empty: one is made at the first start.",
    )
    fleet: Path | None = Field(None, alias="BOTYARD_FLEET", description="The fleet file to run.")

    @field_validator("media_url")
    @classmethod
    def _is_s3(cls, value: str) -> str:
        if value and not value.startswith("s3://"):
            raise ValueError("it looks like s3://bucket/prefix?endpoint=https://host&region=name")
        return value

    @property
    def database_url(self) -> str:
        """The database's address, with the default filled in."""
        return self.database or f"sqlite:///{self.home.resolve() / 'botyard.db'}"

    @property
    def queues(self) -> dict[str, int]:
        """The runner's queues and how many jobs of each run at once."""
        parts = (one.split("=") for one in self.job_queues.split(","))
        return {name: int(count) for name, count in parts}

    @property
    def url(self) -> str:
        """The public address without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def run_dir(self) -> Path:
        """Folder of the Unix sockets: in BOTYARD_HOME, or a short path where that one is too long."""
        folder = self.home.resolve() / "run"
        if len(bytes(folder)) <= LONGEST_RUN_DIR:
            return folder
        digest = hashlib.sha256(bytes(folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"botyard-{digest}"


def load_settings() -> Settings:
    """Settings from the environment; raises pydantic.ValidationError that names the variable."""
    return Settings()
