"""The venue's language: requests, answers, frames and signed messages. No I/O."""
