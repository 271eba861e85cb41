//! What a command may use of the machine.

/// Limits of each process of a command, as setrlimit(2) has them. `None` leaves the limit that
/// Sexton itself has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of address space.
    pub memory: Option<u64>,
    /// Open files.
    pub files: Option<u64>,
    /// Seconds of processor time.
    pub cpu: Option<u64>,
    /// Processes of the user that it runs as.
    pub processes: Option<u64>,
    /// Bytes of a core dump.
    pub core: Option<u64>,
    /// Bytes of a file that it writes.
    pub file_size: Option<u64>,
}

impl Limits {
    /// The limits in the order of the fields.
    pub(crate) fn to_array(self) -> [Option<u64>; 6] {
        let Limits {
            memory,
            files,
            cpu,
            processes,
            core,
            file_size,
        } = self;
        [memory, files, cpu, processes, core, file_size]
    }

    /// The inverse of [`Limits::to_array`].
    pub(crate) fn from_array(limits: [Option<u64>; 6]) -> Limits {
        let [memory, files, cpu, processes, core, file_size] = limits;
        Limits {
            memory,
            files,
            cpu,
            processes,
            core,
            file_size,
        }
    }
}
