//! Crontabs as people have them: Debian's own, and every rule of crontab(5).

mod errors;
mod lines;
mod names;
mod of_debian;
mod shapes;
mod variables;
