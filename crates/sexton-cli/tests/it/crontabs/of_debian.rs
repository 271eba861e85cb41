//! The crontabs of Debian's packages, read from their files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use sexton_cli::crontab::{self, Form};
use sexton_cli::tasks::{TaskFile, Work};

use crate::reading::{Villagers, environment};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/crontabs")
}

/// The fixtures, by their place in the folder.
fn fixtures() -> Vec<String> {
    let mut places = vec!["etc/crontab".to_owned()];
    for part in ["etc/cron.d", "user"] {
        for entry in fs::read_dir(folder().join(part)).unwrap() {
            let name = entry.unwrap().file_name();
            places.push(format!("{part}/{}", name.to_str().unwrap()));
        }
    }
    places.sort();
    places
}

/// What was read, a task a line.
fn told(file: &TaskFile) -> String {
    let mut told = String::new();
    for task in &file.tasks {
        let Work::Command(command) = &task.work else {
            panic!("not a command: {}", task.name);
        };
        let user = command
            .run_as
            .as_ref()
            .map_or("root", |run_as| &run_as.name);
        let written = &task.schedule_written;
        let _ = writeln!(told, "  {}: {written} | {user} | {}", task.line, task.name);
        assert!(command.stdin.is_none());
    }
    for warning in &file.warnings {
        let _ = writeln!(told, "  {}", warning.lines().next().unwrap_or(""));
    }
    told
}

#[test]
fn each_is_read_as_it_is() {
    let mut all = String::new();
    for place in fixtures() {
        let path = folder().join(&place);
        let read = crontab::load(&path, Form::of(&path), None, &environment(), &Villagers);
        let _ = match read {
            Ok(file) => write!(all, "{place}\n{}", told(&file)),
            Err(rejected) => {
                let rejected = rejected.to_string();
                writeln!(all, "{place}\n  {}", rejected.lines().next().unwrap_or(""))
            }
        };
    }
    assert_snapshot!(all, @"
    etc/cron.d/amavisd-new
      5: 18 */3 * * * | amavis | amavisd-new: test [65c7c5cda14034d3]
      6: 24 1 * * * | amavis | amavisd-new: test [8790b37c842b8387]
    etc/cron.d/anacron
      6: 30 7-23 * * * | root | anacron: [ [f66d7f1de9032dc9]
    etc/cron.d/awstats
      3: */10 * * * * | www-data | awstats: [ [2fa8638a1142f0b5]
      6: 10 03 * * * | www-data | awstats: [ [1781643354b623a6]
      warning: nothing is mailed
    etc/cron.d/backupninja
      6: 0 * * * * | root | backupninja: if [36d4cf46d0f157d6]
    etc/cron.d/cacti
      2: */5 * * * * | www-data | cacti: php [aaef99ce68103e43]
      warning: nothing is mailed
    etc/cron.d/certbot
      17: 0 */12 * * * | root | certbot: test [c1520a47ff0ae215]
    etc/cron.d/cron-apt
      5: 0 4 * * * | root | cron-apt: test [b122573073ca3d4b]
    etc/cron.d/dma
      3: */5 * * * * | root | dma: [ [437ee71911f27b53]
    etc/cron.d/e2scrub_all
      1: 30 3 * * 0 | root | e2scrub_all: test [2d116ae10450836c]
      2: 10 3 * * * | root | e2scrub_all: test [92feeae11e228f2a]
    etc/cron.d/ganeti
      7: */5 * * * * | root | ganeti: [ [98f9cbcbbc352b60]
      10: 45 1 * * * | gnt-masterd | ganeti: [ [00f96f6a0a8505f4]
      13: 45 2 * * * | root | ganeti: [ [67bc4fa7ad909ca4]
      warning: @reboot is skipped: there is no such moment for replicas that share a schedule
    etc/cron.d/inn2
      6: 15 4 * * * | news | inn2: test [c8e1786475601c41]
      10: 2 3 * * * | news | inn2: [ [851d717877b77810]
      16: 10 * * * * | news | inn2: [ [4d40805531a2a8fc]
    etc/cron.d/leafnode
      3: 8 * * * * | news | leafnode: if [3eebcb90893384bc]
    etc/cron.d/logcheck
      7: 2 * * * * | logcheck | logcheck: if [c75b66047b923058]
      warning: nothing is mailed
      warning: @reboot is skipped: there is no such moment for replicas that share a schedule
    etc/cron.d/mailman3
      7: 0 8 * * * | list | mailman3: if [1292ff7f0779ee28]
      10: 0 12 * * * | list | mailman3: if [7c5c74ce532b5127]
    etc/cron.d/mdadm
      12: 57 0 * * 0 | root | mdadm: if [8039a5f3ad9a83c5]
    etc/cron.d/munin
      7: */5 * * * * | munin | munin: if [850e5454d2180ca2]
      8: 14 10 * * * | munin | munin: if [79dadd2e25936bce]
      11: 27 03 * * * | munin | munin: command [675cb5b48cc767fc]
      12: 32 03 * * * | www-data | munin: command [7f264b8ac0980912]
      warning: nothing is mailed
    etc/cron.d/munin-node
      11: */5 * * * * | root | munin-node: if [3d73f7b472c95d35]
      warning: nothing is mailed
    etc/cron.d/ntpsec
      1: 25 6 * * * | root | ntpsec: if [98bba393747dec51]
    etc/cron.d/php
      14: 09,39 * * * * | root | php: [ [efa6256ffd227102]
    etc/cron.d/roundcube-core
      4: 0 5 * * * | www-data | roundcube-core: test [8c206fec8a95d6ed]
      7: 5,35 * * * * | www-data | roundcube-core: test [ca86fdf9cb5b007c]
    etc/cron.d/rsnapshot
      warning: there is no task that can be run
    etc/cron.d/sanoid
      3: */15 * * * * | root | sanoid: [ [75d1e9be3788b500]
    etc/cron.d/sysstat
      6: 5-55/10 * * * * | root | sysstat: command [35c6ca8c86650c5e]
      9: 59 23 * * * | root | sysstat: command [ec04e036c967d8a3]
    etc/cron.d/tiger
      9: 0 * * * * | root | tiger: test [0ebf29ba6b70c9b8]
    etc/crontab
      18: 17 * * * * | root | crontab: cd [ae9d4b55a60e3adb]
      19: 25 6 * * * | root | crontab: test [0f2cc056d94998b1]
      20: 47 6 * * 7 | root | crontab: test [751cb617b9a336fb]
      21: 52 6 1 * * | root | crontab: test [832b8c742bf71923]
    user/sysstat-example
      6: 0 * * * * | root | sysstat-example: sa1 [47b11830446977a1]
      16: 7 0 * * * | root | sysstat-example: sa2 [279a676cdac7b42c]
    ");
}

#[test]
fn each_is_named_with_its_package_and_version() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for place in fixtures() {
        assert!(readme.contains(&format!("| {place} | ")), "{place}");
    }
}

#[test]
fn the_percent_sign_of_mdadm_reaches_date() {
    let path = folder().join("etc/cron.d/mdadm");
    let file = crontab::load(&path, Form::System, None, &environment(), &Villagers).unwrap();
    let work = file.tasks[0].work.to_string();
    assert!(work.contains("[ $(date +%d) -le 7 ]"), "{work}");
}

#[test]
fn a_file_is_of_the_system_form_where_cron_says_so() {
    for (path, form) in [
        ("/etc/crontab", Form::System),
        ("/etc/cron.d/php", Form::System),
        ("/srv/chroot/etc/cron.d/php", Form::System),
        ("/var/spool/cron/crontabs/root", Form::User),
        ("/home/quasimodo/crontab", Form::User),
        ("/etc/cron.d.old/php", Form::User),
        ("-", Form::User),
    ] {
        assert_eq!(Form::of(Path::new(path)), form, "{path}");
    }
}
