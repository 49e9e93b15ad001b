// Before anything is painted: without a choice of the reader's, follow the device.
const root = document.documentElement;
if (!root.className && matchMedia("(prefers-color-scheme: dark)").matches) root.className = "dark";
