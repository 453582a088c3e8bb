"""The instructor's side: a handout made of this source, and the proof that it holds."""
