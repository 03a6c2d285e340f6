//! The rules of the line, told as given / when / then, and as properties of random histories.

mod fixture;

mod calling;
mod counters;
mod days;
mod forgetting;
mod repeats;
mod taking;

mod order;
mod transitions;

mod visits;

mod batches;
mod histories;
mod records;
mod timers;
