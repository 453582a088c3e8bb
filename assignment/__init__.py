"""What an assignment is, and the student's side of it."""
