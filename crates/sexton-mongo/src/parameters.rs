//! What may stand behind the `?` of a URL: what the driver does as it is built here. Names are in
//! lower case, as the driver takes them in either.

use sexton_core::url::Parameter;

const YES_OR_NO: &[&str] = &["true", "false"];

pub(crate) const PARAMETERS: [Parameter; 38] = [
    Parameter::text("appname"),
    Parameter::text("authmechanism"),
    Parameter::text("authmechanismproperties"),
    Parameter::text("authsource"),
    Parameter::number("connecttimeoutms"),
    Parameter::word("directconnection", YES_OR_NO),
    Parameter::word("enableoverloadretargeting", YES_OR_NO),
    Parameter::number("heartbeatfrequencyms"),
    Parameter::word("journal", YES_OR_NO),
    Parameter::word("loadbalanced", YES_OR_NO),
    Parameter::number("localthresholdms"),
    Parameter::number("maxadaptiveretries"),
    Parameter::number("maxconnecting"),
    Parameter::number("maxidletimems"),
    Parameter::number("maxpoolsize"),
    Parameter::text("maxstalenessseconds"),
    Parameter::number("minpoolsize"),
    Parameter::text("readconcernlevel"),
    Parameter::text("readpreference"),
    Parameter::text("readpreferencetags"),
    Parameter::text("replicaset"),
    Parameter::word("retryreads", YES_OR_NO),
    Parameter::word("retrywrites", YES_OR_NO),
    Parameter::text("servermonitoringmode"),
    Parameter::number("serverselectiontimeoutms"),
    Parameter::number("sockettimeoutms"),
    Parameter::number("srvmaxhosts"),
    Parameter::text("srvservicename"),
    Parameter::word("ssl", YES_OR_NO),
    Parameter::word("tls", YES_OR_NO),
    Parameter::word("tlsallowinvalidcertificates", YES_OR_NO),
    Parameter::text("tlscafile"),
    Parameter::text("tlscertificatekeyfile"),
    Parameter::word("tlsinsecure", YES_OR_NO),
    Parameter::text("uuidrepresentation"),
    Parameter::text("w"),
    Parameter::number("waitqueuetimeoutms"),
    Parameter::number("wtimeoutms"),
];
