# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is done to a group is done whole or not at all: of a hundred people who are added those who can be are,
# with one message and in one transaction, and for the others it is said why; and where the database fails at any table,
# nothing is left of it.
use Tidings;
use Tidings::Recount;

my $t = Tidings->start(workers => 2, conf => {groups => {max_members => 120, max_per_user => 120}});
my @new = map { sprintf 'n%02d', $_ } 1 .. 100;
$t->befriend('alice', $_) for 'bob', 'carol', 'dave', @new;
$t->befriend('bob', 'carol');
my ($alice, $bob, $carol, $dave) = map { $t->api($_) } qw(alice bob carol dave);

sub word { my ($r) = @_; return $r->status < 400 ? $r->status : $r->status . ' ' . $r->code }
sub one { my ($sql, @values) = @_; return scalar $t->dbh->selectrow_array($sql, undef, @values) }
sub sound { my ($name) = @_; is_deeply [$t->recount_faults], [], "$name: the rows agree"; return }

subtest 'a hundred of whom three cannot be added' => sub {
	my $id = $t->group('alice', ['bob']);
	$alice->delete("/groups/$id/members/n10?ban=true");
	$t->unfriend('alice', 'n50');
	$t->set_blocked('n90', 'alice', 1);
	my $watch = $t->ws('bob');
	my $before = one('SELECT last_seq FROM group_heads WHERE id = ?', $id);
	my $r = $alice->post("/groups/$id/members", {user_ids => \@new});
	is $r->status, 200, 'added' or diag($r->body);
	my %out = map { $_->{user_id} => $_->{code} } @{$r->json->{left_out}};
	is_deeply \%out, {n10 => 'banned', n50 => 'not_friends', n90 => 'blocked'}, 'it is said why three were not';
	my @in = grep { !$out{$_} } @new;
	is_deeply $r->json->{added}, \@in, 'and who was, in their order';
	is one('SELECT last_seq FROM group_heads WHERE id = ?', $id), $before + 1, 'by one message';
	is_deeply $watch->expect('message')->{message}{extra}, {event => 'added', user_ids => \@in}, 'that names them';
	$watch->settle;
	is_deeply [map { $_->{type} } $watch->queued], [], 'and members are told nothing else';
	is_deeply $t->dbh->selectrow_arrayref("SELECT COUNT(*), COUNT(DISTINCT joined_seq, joined_at), MIN(joined_seq) FROM members WHERE conversation_id = ? AND user_id LIKE 'n%'", undef, $id), [97, 1, $before + 1], 'all came in with it';
	is $alice->get("/groups/$id")->json->{group}{member_count}, 99, 'and are counted';
	sound('then');
	$r = $alice->post("/groups/$id/members", {user_ids => \@new});
	is_deeply [$r->status, $r->json->{added}, scalar @{$r->json->{left_out}}], [200, [], 100], 'again: nobody';
	is one('SELECT last_seq FROM group_heads WHERE id = ?', $id), $before + 1, 'and nobody is told';
	$watch->abort;
	$t->befriend('alice', 'n50');
	$t->set_blocked('n90', 'alice', 0);
};

subtest 'refusals in order' => sub {
	my $id = $t->group('alice', ['bob']);
	my $add = sub { my ($http, @users) = @_; return word($http->post("/groups/$id/members", {user_ids => [@users]})) };
	$alice->put("/groups/$id", {settings => {add => 'admins'}});
	is $t->http('alice', token => undef)->post("/groups/$id/members", {user_ids => []})->status, 401, 'the token before the fields';
	is $add->($dave), '400 invalid_argument', 'the fields before who asks';
	is $add->($dave, 'n01'), '404 not_found', 'who is no member is told nothing';
	is $add->($bob, 'nobody'), '403 forbidden', 'then the role, before each of those';
	$alice->delete("/groups/$id");
	is $add->($bob, 'n01'), '403 forbidden', 'which comes before the end of the group';
	is $add->($alice, 'n01'), '409 group_dissolved', 'that is said to admins';
	is $add->($dave, 'n01'), '404 not_found', 'and not to strangers';
	sound('after all of them');
};

# ---- a database that fails in the middle ----

# Everything that a change to a group could leave behind.
sub snapshot {
	my %all;
	for my $table (qw(group_heads group_profiles members group_counts uncounted mentions group_bans group_requests group_invites messages changes deletions)) {
		my $rows = $t->dbh->selectall_arrayref("SELECT * FROM $table");
		$all{$table} = [sort map { join '|', map { $_ // 'NULL' } @$_ } @$rows];
	}
	return \%all;
}

# What is done with the group of that id, and the tables that it writes, each with how.
my @steps = (
	[create => sub { word($alice->post('/groups', {name => 'new', user_ids => [qw(bob carol)]})) }, 201, qw(group_heads:INSERT group_profiles:INSERT group_counts:INSERT members:INSERT messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	[add => sub { word($alice->post("/groups/$_[0]/members", {user_ids => [qw(dave n01 n02)]})) }, 200, qw(group_counts:INSERT members:INSERT messages:INSERT uncounted:INSERT group_heads:UPDATE group_requests:DELETE)],
	[change => sub { word($alice->put("/groups/$_[0]", {name => 'other', settings => {history => 'joined'}})) }, 200, qw(group_profiles:UPDATE messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	[role => sub { word($alice->put("/groups/$_[0]/members/bob", {role => 'admin'})) }, 200, qw(members:UPDATE messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	['pass on' => sub { word($alice->put("/groups/$_[0]/owner", {user_id => 'bob'})) }, 200, qw(members:UPDATE group_profiles:UPDATE messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	[ban => sub { word($alice->delete("/groups/$_[0]/members/carol?ban=true")) }, 204, qw(group_bans:INSERT group_counts:UPDATE members:DELETE messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	[leave => sub { word($carol->delete("/groups/$_[0]/members/carol")) }, 204, qw(group_counts:UPDATE members:DELETE messages:INSERT uncounted:INSERT group_heads:UPDATE)],
	[join => sub { word($t->api('n05')->post("/invites/$_[1]", {})) }, 200, qw(group_counts:INSERT members:INSERT messages:INSERT uncounted:INSERT group_heads:UPDATE group_invites:UPDATE)],
	[accept => sub { word($alice->put("/groups/$_[0]/requests/dave/accept")) }, 200, qw(group_counts:INSERT members:INSERT messages:INSERT uncounted:INSERT group_heads:UPDATE group_requests:DELETE)],
	[dissolve => sub { word($alice->delete("/groups/$_[0]")) }, 204, qw(messages:INSERT uncounted:INSERT group_heads:UPDATE group_requests:DELETE group_invites:DELETE)],
);

for my $step (@steps) {
	my ($name, $do, $done, @writes) = @$step;
	subtest "$name, and the database fails" => sub {
		my $id = $t->group('alice', [qw(bob carol)], settings => {join => 'approval'});
		is $dave->post("/groups/$id/join", {})->status, 202, 'dave waits';
		$alice->put("/groups/$id", {settings => {join => 'open'}});
		my $code = $alice->post("/groups/$id/invites", {})->json->{code};
		my $before = snapshot();
		for my $at (@writes) {
			my ($table, $how) = split /:/, $at;
			$t->dbh->do("CREATE TRIGGER fails BEFORE $how ON $table FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the test says no'");
			my $got = $do->($id, $code);
			$t->dbh->do('DROP TRIGGER fails');
			like $got, qr/^50[03] /, "at $at: refused";
			my $now = snapshot();
			is_deeply $now, $before, 'and nothing is left of it';
		}
		is $do->($id, $code), $done, 'without that it is done';
		sound('then');
	};
}

$t->stop;
done_testing;
