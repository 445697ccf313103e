"""What goes wrong on purpose: rules that say when and what, and the witness who tells what really was."""
