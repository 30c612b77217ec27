# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is done to a group at once, through two nodes of two workers, ends in one consistent state: creations
# with one key, joins at the limits, changes of members against each other, sends meanwhile; and that what each member's
# sessions are told agrees with the order of messages.
use Tidings;
use Tidings::GroupWatch;
use Tidings::Recount;

my $seed = $ENV{TIDINGS_SEED} // (time ^ $$);
my $rounds = $ENV{TIDINGS_ROUNDS} // 15;
diag("TIDINGS_SEED=$seed");
my @people = map { "p$_" } 1 .. 10;
my $t = Tidings->start(workers => 2, nodes => 2, conf => {groups => {max_members => 12, max_per_user => 12}});
$t->befriend(@people);

# ---- at once ----

my (%idle, $requests);
# Each [user, method, path, body], on connections of their own to both nodes in turns; the answers, in order.
sub at_once {
	my @asked = @_;
	my @http = map {
		my $node = $requests++ % 2;
		my $free = $idle{"$_->[0] $node"} //= [];
		my $http = shift @$free // $t->http($_->[0], node => $node);
		[$free, $http];
	} @asked;
	$http[$_][1]->socket for 0 .. $#asked;
	$http[$_][1]->send_request($asked[$_][1], $asked[$_][2], defined $asked[$_][3] ? (json => $asked[$_][3]) : ()) for 0 .. $#asked;
	my @answers = map { $_->[1]->response } @http;
	push @{$_->[0]}, $_->[1] for @http;
	return @answers;
}

sub word { my ($r) = @_; return $r->status < 400 ? $r->status : $r->status . ' ' . $r->code }
sub count { my %n; $n{word($_)}++ for @_; return \%n }
sub sound { my ($name) = @_; is_deeply [$t->recount_faults], [], "$name: the rows agree"; return }
sub members { my ($id) = @_; return @{$t->dbh->selectcol_arrayref('SELECT user_id FROM members WHERE conversation_id = ? ORDER BY user_id', undef, $id)} }
sub forget_all { my ($id) = @_; at_once(map { [$_, 'DELETE', "/groups/$id/members/$_"] } members($id)) for 1 .. 2; return }

# ---- limits and keys ----

subtest 'twenty creations with one key' => sub {
	my @r = at_once(map { ['p1', 'POST', '/groups', {name => "name $_", user_ids => [qw(p2 p3)], client_group_id => 'one'}] } 1 .. 20);
	is_deeply count(@r), {201 => 1, 200 => 19}, 'one makes it';
	my %ids = map { $_->json->{id} => 1 } @r;
	is scalar(keys %ids), 1, 'and all are told of the same';
	my ($id) = keys %ids;
	is_deeply [members($id)], [qw(p1 p2 p3)], 'with its members';
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM group_heads'), 1, 'there is no other';
	sound('after it');
	is $t->api('p1')->delete("/groups/$id")->status, 204, 'dissolved';
	forget_all($id);
};

subtest 'joins' => sub {
	my $id = $t->group('p1', []);
	my $code = $t->api('p1')->post("/groups/$id/invites", {max_uses => 4})->json->{code};
	is_deeply count(at_once(map { ["j$_", 'POST', "/invites/$code", {}] } 1 .. 12)), {200 => 4, '404 not_found' => 8}, 'a code is used as often as it may be';
	$t->api('p1')->put("/groups/$id", {settings => {join => 'open'}});
	is_deeply count(at_once(map { ["k$_", 'POST', "/groups/$id/join", {}] } 1 .. 12)), {200 => 7, '409 group_full' => 5}, 'a group takes as many as it may';
	is_deeply count(at_once(map { ['p1', 'DELETE', "/groups/$id/members/k$_"] } 1 .. 12)), {204 => 12}, 'removed at once';
	is_deeply count(at_once(map { ['p2', 'POST', "/groups/$id/join", {}] } 1 .. 8)), {200 => 8}, 'one who joins eight times';
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE id >> 28 = ? AND extra LIKE '%joined%p2%'", undef, $id), 1, 'is told of once';
	sound('after them');
	my @open = map { $t->group($_, [], settings => {join => 'open'}) } map { ($_) x 2 } grep { $_ ne 'p10' } @people;
	is_deeply count(at_once(map { ['p10', 'POST', "/groups/$_/join", {}] } @open)), {200 => 12, '409 too_many_groups' => 6}, 'a user is in as many as they may be';
	sound('and then');
	for my $g ($id, @open) {
		my ($owner) = $t->dbh->selectrow_array('SELECT owner_id FROM group_profiles WHERE id = ?', undef, $g);
		$t->api($owner)->delete("/groups/$g");
		forget_all($g);
	}
	is $t->dbh->selectrow_array('SELECT COALESCE(SUM(n), 0) FROM group_counts'), 0, 'nobody is in any';
};

subtest 'one against the other' => sub {
	my $id = $t->group('p1', [qw(p2 p3 p4)]);
	$t->api('p1')->put("/groups/$id/members/$_", {role => 'admin'}) for qw(p2 p3);
	my @r = at_once(map { ["p$_", 'POST', "/groups/$id/members", {user_ids => [qw(p5 p6)]}] } 1 .. 4, 1 .. 4);
	is_deeply [sort map { @{$_->json->{added}} } @r], [qw(p5 p6)], 'eight who add the same two: each is added once';
	is_deeply count(at_once(['p1', 'PUT', "/groups/$id/owner", {user_id => 'p4'}], ['p4', 'DELETE', "/groups/$id/members/p4"], ['p2', 'DELETE', "/groups/$id/members/p4"])) && [scalar $t->dbh->selectrow_array('SELECT COUNT(*) FROM members WHERE conversation_id = ? AND role = 1', undef, $id)], [1], 'passing it on to one who goes';
	my ($owner) = $t->dbh->selectrow_array('SELECT owner_id FROM group_profiles WHERE id = ?', undef, $id);
	my @others = grep { $_ ne $owner } members($id);
	is_deeply count(at_once(map { [$owner, 'PUT', "/groups/$id/owner", {user_id => $_}] } @others)), {200 => 1, '403 forbidden' => $#others}, 'passing it on to all: one has it';
	sound('after them');
	# Two pairs of locks in both orders.
	my ($g, $h) = ($t->group('p7', []), $t->group('p8', []));
	for (1 .. 5) {
		my @both = at_once((['p7', 'POST', "/groups/$g/members", {user_ids => [qw(p8 p9 p10)]}], ['p8', 'POST', "/groups/$h/members", {user_ids => [qw(p10 p9 p7)]}]) x 3);
		is_deeply [sort map { @{$_->json->{added}} } @both], [sort qw(p7 p8), (qw(p9 p10)) x 2], 'adding the same to two groups';
		at_once((map { ['p7', 'DELETE', "/groups/$g/members/$_"] } qw(p8 p9 p10)), map { ['p8', 'DELETE', "/groups/$h/members/$_"] } qw(p7 p9 p10));
		is_deeply [members($g), members($h)], [qw(p7 p8)], 'and removing them';
	}
	sound('after that');
	($owner) = $t->dbh->selectrow_array('SELECT owner_id FROM group_profiles WHERE id = ?', undef, $id);
	$t->api($owner)->delete("/groups/$id");
	forget_all($_) for $id, $g, $h;
};

# ---- talking while members come and go ----

sub any { return $_[rand @_] }

# What a round asks at once: sends of many, and changes.
sub round {
	my ($id, $n) = @_;
	my @sends = map { [any(@people), 'POST', '/messages/send', text_in($id, "$n.$_", client_msg_id => "r$id-$n-$_")] } 1 .. 8;
	my @changes = map {
		my ($by, $who) = (any('p1', any(@people)), any(@people[1 .. $#people]));
		my $what = rand;
		$what < 0.35 ? [$by, 'POST', "/groups/$id/members", {user_ids => [$who, any(@people)]}]
			: $what < 0.55 ? [$by, 'DELETE', "/groups/$id/members/$who"]
			: $what < 0.7 ? [$who, 'DELETE', "/groups/$id/members/$who"]
			: $what < 0.9 ? [$who, 'POST', "/groups/$id/join", {}]
			: [$by, 'PUT', "/groups/$id/members/$who", {role => any(qw(admin member))}];
	} 1 .. 5;
	my @all = (@sends, @changes);
	for my $i (reverse 1 .. $#all) { my $j = int rand($i + 1); @all[$i, $j] = @all[$j, $i] }
	return @all;
}

sub heard {
	my ($name, $spans, $last, @watches) = @_;
	# Who is told to catch up is told slowly, perhaps only after the last message.
	my @faults;
	eval { wait_for('all to be told', sub { $_->look for @watches; !(@faults = map { $_->check($spans->{$_->user}, $last) } @watches) }) };
	my %of = map { (split / on /, $_)[0] => 1 } @faults;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is scalar(@faults), 0, $name or diag(join "\n", @faults, map { my $user = $_; "$user was in: " . join ', ', map { $_->[0] . '..' . ($_->[1] // '') } @{$spans->{$user} // []} } sort keys %of);
	return;
}

sub talk_in {
	my ($history) = @_;
	my $id = $t->group('p1', [@people[1 .. 6]], settings => {join => 'open', history => $history});
	my @watches = map {
		my $user = $_;
		map {
			my $node = $_;
			Tidings::GroupWatch->new(user => $user, name => "$user on $node", id => $id, sees_all => $history eq 'all', open => sub { $t->ws($user, node => $node) }, http => sub { $t->http($user, node => $node) });
		} 0, 1;
	} @people;
	wait_for('all sessions', sub { !grep { !$_->look } @watches });
	my %n;
	my @sent;
	for my $n (1 .. $rounds) {
		my @asked = round($id, $n);
		my @r = at_once(@asked);
		$n{word($_)}++ for @r;
		push @sent, map { $r[$_]->json } grep { $asked[$_][2] eq '/messages/send' && $r[$_]->status == 201 } 0 .. $#asked;
		$_->look for @watches;
	}
	note("$history: " . join ', ', map { "$n{$_} of $_" } sort keys %n);
	is_deeply [grep { !/^(?:20[0-4]|403 forbidden|404 not_found|409 conflict)$/ } keys %n], [], 'nothing is answered that is not known';
	my $last = $t->say('p1', $id, 'the end')->{seq};
	my @in = members($id);
	my %in = map { $_ => 1 } @in;
	wait_for('the last message everywhere', sub { !grep { !$_->hears($last) || $_->{left} } grep { $in{$_->user} } @watches });
	$_->ws->settle, $_->look for @watches;
	my ($spans, undef, @faults) = Tidings::Recount::replay_members($t->dbh, $id);
	is_deeply \@faults, [], 'what is told of members makes sense';
	heard('each session heard what it had to, once and in order', $spans, $last, @watches);
	is_deeply [map { ($_->{left} ? 1 : 0) == ($in{$_->user} || !$spans->{$_->user} ? 0 : 1) ? () : "$_->{name} " . substr $_->trace, -300 } @watches], [], 'and knows whether it is in' or diag explain $spans;
	is_deeply [map { "$_->{id} $_->{seq}" } @sent], [map { "$_->[0] $_->[1]" } map { $t->dbh->selectrow_arrayref('SELECT id, id & 268435455 FROM messages WHERE id = ? AND content = ?', undef, @$_{qw(id content)}) // ['none', 0] } @sent], 'what was acknowledged is there';
	sound('after it');
	return ($id, @watches);
}

for my $history (qw(joined all)) {
	subtest "talking while members come and go, history: $history" => sub {
		srand $seed;
		my ($id, @watches) = talk_in($history);
		my @members = members($id);
		my @r = at_once((map { [any(@members), 'POST', '/messages/send', text_in($id, "last $_")] } 1 .. 6), ['p1', 'DELETE', "/groups/$id"],
			(map { ['p1', 'POST', "/groups/$id/members", {user_ids => [any(@people)]}] } 1 .. 3), (map { [$_, 'DELETE', "/groups/$id/members/$_"] } @members[1, 2]),
			map { [any(@members), 'POST', '/messages/send', text_in($id, "last $_")] } 7 .. 12);
		is $r[6]->status, 204, 'dissolved at once with all of this';
		sound('then');
		is_deeply [map { word($_) } at_once(['p1', 'POST', '/messages/send', text_in($id, 'x')])], ['409 group_dissolved'], 'nothing is sent there any more';
		my %in = map { $_ => 1 } members($id);
		my $told = eval { wait_for('the sessions to know', sub { !grep { $_->look; ($_->{left} // '') ne 'dissolved' } grep { $in{$_->user} } @watches }) };
		ok $told, 'each member is told' or diag(join "\n", map { "$_->{name}: ..." . substr $_->trace, -300 } grep { $in{$_->user} && ($_->{left} // '') ne 'dissolved' } @watches);
		my ($spans) = Tidings::Recount::replay_members($t->dbh, $id);
		my ($last) = $t->dbh->selectrow_array('SELECT last_seq FROM group_heads WHERE id = ?', undef, $id);
		heard('having heard all before', $spans, $last, grep { $in{$_->user} } @watches);
		$_->drop for @watches;
		forget_all($id);
		is_deeply [members($id)], [], 'all leave it';
	};
}

$t->stop;
done_testing;
