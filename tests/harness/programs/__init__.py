"""Programs that run as separate processes, by path and with `python -I -S`. They import no module of this repository."""
