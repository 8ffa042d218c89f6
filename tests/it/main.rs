//! Integration tests, through the public front door.

#[cfg(test)]
mod counter;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod web;
