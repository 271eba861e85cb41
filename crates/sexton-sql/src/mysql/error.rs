//! What a MySQL or MariaDB server reports, judged by its number. See
//! <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and <https://mariadb.com/kb/en/mariadb-error-codes/>.

use sqlx::mysql::MySqlDatabaseError;

use crate::server::cause::{Cause, NOT_MADE_BY_US};

const NOT_PRIVILEGED: &str = "its user lacks privileges: SELECT, INSERT, UPDATE and DELETE on the tables (and CREATE and INDEX to make them)";

pub(crate) fn cause(reported: &MySqlDatabaseError) -> Cause {
    match reported.number() {
        // A lock not to be had in time, a deadlock, a row that changed under a snapshot (MariaDB), somebody else changing the tables.
        // The same by group replication, at the commit.
        1205 | 1213 | 1020 | 1412 | 3101 => Cause::Busy,
        // --read-only, --super-read-only, a transaction that only reads, InnoDB that only reads.
        1290 | 1836 | 1792 | 1874 => Cause::ReadOnly,
        // A server that stops; a session that was ended, or that was idle for too long; a statement that it has forgotten.
        1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1243 | 1615 | 1927 | 3169 | 4031 => {
            Cause::Broken
        }
        // Too many connections, of all or of this user, or statements; memory, disks, files; a statement that was interrupted or took too long; a
        // member that replication has put out (Galera, group replication).
        1021 | 1023 | 1026 | 1030 | 1037 | 1038 | 1040 | 1041 | 1114 | 1135 | 1203 | 1206
        | 1047 | 1226 | 1317 | 1461 | 1637 | 1969 | 3024 | 3100 => Cause::Transient,
        // No access, by this host, until the password is changed.
        1045 | 1129 | 1130 | 1251 | 1275 | 1698 | 1820 | 1862 | 3118 | 4151 => {
            Cause::AuthenticationFailed
        }
        1046 | 1049 => Cause::NoDatabase,
        1044 | 1142 | 1143 | 1227 | 1370 => Cause::NotPrivileged(NOT_PRIVILEGED),
        1665 => Cause::Permanent(
            "binlog_format=STATEMENT does not take what is written at READ COMMITTED: set it to ROW or MIXED",
        ),
        1153 => Cause::Permanent("its max_allowed_packet is too small: 1 MiB is needed"),
        1048 | 1054 | 1062 | 1064 | 1136 | 1146 | 1264 | 1265 | 1305 | 1364 | 1366 | 1406
        | 4078 => NOT_MADE_BY_US,
        _ => Cause::Permanent("the server does not take the statement"),
    }
}
