//! Sounds: WAV files to and from arrays, and rooms laid over them.
