"""Models on disk: found, judged and downloaded, without importing what could run them."""
