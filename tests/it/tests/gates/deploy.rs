//! What is shipped beside the program fits the program.
