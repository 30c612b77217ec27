# SPDX-License-Identifier: BSD-2-Clause
use Tidings;
use Tidings::Util;
my $t = Tidings->start(workers => 2);
$t->befriend(qw(alice bob carol));
my $g = $t->group('alice', ['bob']);
$t->api('alice')->post("/messages/send", {to_user_id => "bob", message_type => "text", content => "m$_"}) for 1 .. 30;
my $m = $t->api('alice')->post("/messages/send", {conversation_id => $g, message_type => "text", content => "g$_"})->json for 1 .. 30;
for (1..30) { 
 my $x = $t->dbh->selectall_arrayref('SELECT s.stream,s.m,d.n FROM (SELECT stream,MAX(n) m FROM outbox GROUP BY stream) s LEFT JOIN outbox_done d ON d.consumer=\'push\' AND d.stream=s.stream'); note(JSON::PP->new->encode($x));
 select undef,undef,undef,0.3;
}
ok 1;
done_testing;
