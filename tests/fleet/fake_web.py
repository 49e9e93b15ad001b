"""A stand-in for the web process: answers /health, and says what its environment holds."""

import asyncio
import os


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


async def main() -> None:
    """Serve until killed."""
    print("INFO env", *sorted(os.environ))
    server = await asyncio.start_server(_answer, "127.0.0.1", int(os.environ["BOTYARD_PORT"]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
