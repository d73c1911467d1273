// eximlog.h: one line of Exim's main log, and what it says about a message, in maillog.h's words. Pure.
//
//     STAMP 1mABCD-0001ab-CD <= ann@corp.example H=pc.corp.example [192.0.2.7] P=esmtpsa A=plain:ann S=1234 id=..
//     STAMP 1mABCD-0001ab-CD => bob@partner.example R=dnslookup T=remote_smtp H=.. [..] C="250 Ok"
//     STAMP 1mABCD-0001ab-CD -> carol <c@corp.example> R=..
//     STAMP 1mABCD-0001ab-CD Completed
//
// The same by syslog, with or without a stamp of Exim's own behind that of syslog.
#pragma once

#include "client/ctl/import/maillog.h"

// eximlog_read: what stands behind the stamp. Changes the text.
void eximlog_read(char *text, struct maillog *out);
