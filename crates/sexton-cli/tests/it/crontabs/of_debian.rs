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
    assert_snapshot!(all, @r#"
    etc/cron.d/amavisd-new
      5: 18 */3 * * * | amavis | amavisd-new: test -e /usr/sbin/amavisd-new-cronjob && /usr/sbin/amavisd-n… [e611fd54]
      6: 24 1 * * * | amavis | amavisd-new: test -e /usr/sbin/amavisd-new-cronjob && /usr/sbin/amavisd-n… [d51cfce2]
    etc/cron.d/anacron
      6: 30 7-23 * * * | root | anacron: [ -x /etc/init.d/anacron ] && if [ ! -d /run/systemd/system… [1b47933b]
    etc/cron.d/awstats
      3: */10 * * * * | www-data | awstats: [ -x /usr/share/awstats/tools/update.sh ] && /usr/share/awst… [12e149b3]
      6: 10 03 * * * | www-data | awstats: [ -x /usr/share/awstats/tools/buildstatic.sh ] && /usr/share… [e9ac2fe7]
    etc/cron.d/backupninja
      6: 0 * * * * | root | backupninja: if [ -x /usr/sbin/backupninja ]; then /usr/sbin/backupninja;… [0ad6eb8b]
    etc/cron.d/cacti
      2: */5 * * * * | www-data | cacti: php /usr/share/cacti/site/poller.php 2>&1 >/dev/null | if [… [f7b8241f]
    etc/cron.d/certbot
      17: 0 */12 * * * | root | certbot: test -x /usr/bin/certbot -a \! -d /run/systemd/system && per… [2390b8c2]
    etc/cron.d/cron-apt
      5: 0 4 * * * | root | cron-apt: test -x /usr/sbin/cron-apt && /usr/sbin/cron-apt [21b8a39a]
    etc/cron.d/dma
      3: */5 * * * * | root | dma: [ -x /usr/sbin/dma ] && /usr/sbin/dma -q [2d4614e9]
    etc/cron.d/e2scrub_all
      1: 30 3 * * 0 | root | e2scrub_all: test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/x86_6… [7541db53]
      2: 10 3 * * * | root | e2scrub_all: test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_… [dc8f9da0]
    etc/cron.d/ganeti
      7: */5 * * * * | root | ganeti: [ -x /usr/sbin/ganeti-watcher ] && /usr/sbin/ganeti-watcher [2d7940f2]
      10: 45 1 * * * | gnt-masterd | ganeti: [ -x /usr/sbin/ganeti-cleaner ] && /usr/sbin/ganeti-cleaner… [c3ee6d7e]
      13: 45 2 * * * | root | ganeti: [ -x /usr/sbin/ganeti-cleaner ] && /usr/sbin/ganeti-cleaner… [f1f387ce]
      warning: @reboot is skipped: there is no such moment for replicas that share a schedule
    etc/cron.d/inn2
      6: 15 4 * * * | news | inn2: test -x /usr/lib/news/bin/news.daily && news.daily expireove… [99bb753e]
      10: 2 3 * * * | news | inn2: [ -x /usr/sbin/ctlinnd ] && ctlinnd -t 300 -s reload incomin… [0059306f]
      16: 10 * * * * | news | inn2: [ -x /usr/bin/rnews ] && rnews -U [33a2be50]
    etc/cron.d/leafnode
      3: 8 * * * * | news | leafnode: if [ -x /etc/news/leafnode/do-fetch-news ]; then /etc/news/l… [b651d2c9]
    etc/cron.d/logcheck
      7: 2 * * * * | logcheck | logcheck: if [ -x /usr/sbin/logcheck ]; then nice -n10 /usr/sbin/logch… [96cc359a]
      warning: @reboot is skipped: there is no such moment for replicas that share a schedule
    etc/cron.d/mailman3
      7: 0 8 * * * | list | mailman3: if [ -x /usr/bin/mailman ]; then /usr/bin/mailman notify; fi [1e055503]
      10: 0 12 * * * | list | mailman3: if [ -x /usr/bin/mailman ]; then /usr/bin/mailman digests --… [76285077]
    etc/cron.d/mdadm
      12: 57 0 * * 0 | root | mdadm: if [ -x /usr/share/mdadm/checkarray ] && [ $(date +%d) -le 7… [ce7b5ef5]
    etc/cron.d/munin
      7: */5 * * * * | munin | munin: if [ -x /usr/bin/munin-cron ]; then /usr/bin/munin-cron; fi [767be26f]
      8: 14 10 * * * | munin | munin: if [ -x /usr/share/munin/munin-limits ]; then /usr/share/mun… [cae64e88]
      11: 27 03 * * * | munin | munin: htmldir=$({ cat /etc/munin/munin.conf /etc/munin/munin-conf.… [11544f1b]
      12: 32 03 * * * | www-data | munin: cgitmpdir=$({ cat /etc/munin/munin.conf /etc/munin/munin-con… [5302aa11]
    etc/cron.d/munin-node
      11: */5 * * * * | root | munin-node: if [ -x /etc/munin/plugins/apt_all ]; then /etc/munin/plugin… [d2575c49]
    etc/cron.d/ntpsec
      1: 25 6 * * * | root | ntpsec: if [ ! -d /run/systemd/system ] && [ -x /usr/libexec/ntpsec/… [1bf24b28]
    etc/cron.d/php
      14: 09,39 * * * * | root | php: [ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/s… [34ec0d38]
    etc/cron.d/roundcube-core
      4: 0 5 * * * | www-data | roundcube-core: test -d /run/systemd/system || /usr/share/roundcube/bin/clea… [2ec23b4b]
      7: 5,35 * * * * | www-data | roundcube-core: test -d /run/systemd/system || /usr/share/roundcube/bin/gc.s… [d5086fc8]
    etc/cron.d/rsnapshot
      warning: the crontab has no task that can be run
    etc/cron.d/sanoid
      3: */15 * * * * | root | sanoid: [ -f /etc/sanoid/sanoid.conf ] && if [ ! -d /run/systemd/sys… [f2da48a2]
    etc/cron.d/sysstat
      6: 5-55/10 * * * * | root | sysstat: command -v debian-sa1 > /dev/null && debian-sa1 1 1 [09c0ac76]
      9: 59 23 * * * | root | sysstat: command -v debian-sa1 > /dev/null && debian-sa1 60 2 [468ad645]
    etc/cron.d/tiger
      9: 0 * * * * | root | tiger: test -x /usr/sbin/tigercron && { [ -r "$DEFAULT" ] && . "$DE… [32fa347e]
    etc/crontab
      18: 17 * * * * | root | crontab: cd / && run-parts --report /etc/cron.hourly [9c7a2683]
      19: 25 6 * * * | root | crontab: test -x /usr/sbin/anacron || { cd / && run-parts --report /e… [37ecbdf7]
      20: 47 6 * * 7 | root | crontab: test -x /usr/sbin/anacron || { cd / && run-parts --report /e… [43d24377]
      21: 52 6 1 * * | root | crontab: test -x /usr/sbin/anacron || { cd / && run-parts --report /e… [7f0c26c3]
    user/sysstat-example
      6: 0 * * * * | root | sysstat-example: /usr/lib/sysstat/sa1 600 6 [6beb0484]
      16: 7 0 * * * | root | sysstat-example: /usr/lib/sysstat/sa2 -A [10423bad]
    "#);
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
