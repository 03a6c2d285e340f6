//! Tests of the queue rules: scenarios of given, when and then, and properties of random histories.

mod fixture;

mod auto_calls;
mod calling;
mod counters;
mod days;
mod forgetting;
mod limits;
mod migrating;
mod repeats;
mod taking;
mod transfers;

mod order;
mod transitions;

mod estimates;
mod visits;
mod wrong_clocks;

mod batches;
mod histories;
mod parts;
mod random_steps;
mod records;
mod timers;
