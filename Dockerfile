FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt \
    && useradd --create-home --uid 10001 botyard \
    && mkdir /data && chown botyard /data
COPY . .
RUN python -m compileall -q .
USER botyard
ENV BOTYARD_HOME=/data BOTYARD_HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8002/health', timeout=4)"]
CMD ["python", "orchestrator.py", "run"]
