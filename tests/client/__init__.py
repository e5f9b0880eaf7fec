"""Producer and Consumer, blocking and asyncio."""
