# SPDX-License-Identifier: BSD-2-Clause
# Proves groups over several workers and nodes: everybody hears everything, once and in order, wherever they and the
# senders are; and that what is done at one moment ends in one state, which agrees with the order of the messages.
use Tidings;
use JSON::PP ();

my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {max => 20}});
my @people = map { "p$_" } 1 .. 6;
$t->befriend(@people);

sub on { my ($user, $i) = @_; return $t->{on}{"$user $i"} //= $t->http($user, node => $i % 2) }
sub members { my ($id) = @_; return [sort @{$t->dbh->selectcol_arrayref('SELECT user_id FROM members WHERE conversation_id = ?', undef, $id)}] }
sub rows { my ($id) = @_; return $t->dbh->selectall_arrayref('SELECT id & 268435455 AS seq, from_user_id, message_type, extra FROM messages WHERE id BETWEEN ? AND ? ORDER BY id', {Slice => {}}, $id << 28, $id << 28 | 268435455) }
# Sends all at once, and returns the answers.
sub at_once {
	my @requests = @_;
	my @http = map { my $i = $_; $t->http($requests[$i][0], node => $i % 2) } 0 .. $#requests;
	$http[$_]->send_request(@{$requests[$_]}[1 .. $#{$requests[$_]}]) for 0 .. $#requests;
	my @answers = map { $_->response } @http;
	$_->close for @http;
	return @answers;
}
sub seqs { my ($ws, $id) = @_; return map { $_->{message}{seq} } grep { $_->{message}{conversation_id} eq $id } $ws->queued('message') }
# Who is in the group after each message, as the system messages tell it: [seq => {user => 1}].
sub story {
	my ($id) = @_;
	my (%in, @story);
	for my $m (@{rows($id)}) {
		if ($m->{message_type} == 7) {
			my $what = JSON::PP->new->utf8->decode($m->{extra});
			$in{$_} = 1 for $what->{event} =~ /created|added|joined/ ? @{$what->{user_ids}} : ();
			delete $in{$_} for $what->{event} =~ /left|removed/ ? @{$what->{user_ids}} : ();
		}
		push @story, [$m->{seq}, {%in}];
	}
	return @story;
}

subtest 'everybody hears everything' => sub {
	my $id = $t->group('p1', [@people[1 .. 5]]);
	my @ws = map { my $user = $_; map { $t->ws($user, node => $_, name => "$user at $_") } 0, 1 } @people;
	my @sent = map { on(@people[$_ % 6], $_)->post('/messages/send', text_in($id, "m$_"))->json } 1 .. 24;
	my @all = at_once(map { my $i = $_; [$people[$i % 6], 'POST', '/messages/send', json => text_in($id, "at once $i")] } 1 .. 24);
	is_deeply [map { $_->status } @all], [(201) x 24], 'all are sent';
	for my $ws (@ws) {
		$ws->until('all of them', sub { seqs($_[0], $id) >= 48 });
		is_deeply [seqs($ws, $id)], [2 .. 49], "$ws->{name}: each once, in order";
	}
	on('p2', 1)->put("/messages/conversations/$id/read");
	is $_->expect('read')->{reader_id}, 'p2', "the reading: $_->{name}" for @ws;
	on('p1', 1)->put("/messages/$sent[3]{id}/recall");
	is $_->expect('recalled')->{by}, 'p1', "the recall: $_->{name}" for @ws;
	$ws[0]->request(type => 'typing', conversation_id => $id);
	is $_->expect('typing')->{user_id}, 'p1', "typing: $_->{name}" for @ws[1 .. $#ws];
	$_->abort for @ws;
};

subtest 'those who come and go' => sub {
	my $id = $t->group('p1', ['p2']);
	my %ws = map { my $i = $_; map { ("$_ $i" => $t->ws($_, node => $i, name => "$_ at $i")) } qw(p1 p2 p3) } 0, 1;
	on('p1', 0)->post("/groups/$id/members", {user_ids => ['p3']});
	is $ws{"p3 $_"}->expect('conversation')->{conversation}{id}, $id, "added: told at $_" for 0, 1;
	my $m = on('p2', 1)->post('/messages/send', text_in($id, 'for p3 too'))->json;
	is $ws{"p3 $_"}->expect('message', sub { $_[0]{message}{message_type} eq 'text' })->{message}{id}, $m->{id}, "and hears what comes: at $_" for 0, 1;
	on('p2', 1)->delete("/groups/$id/members/p2");
	is $ws{"p2 $_"}->expect('left')->{reason}, 'left', "left: told at $_" for 0, 1;
	on('p1', 1)->delete("/groups/$id/members/p3");
	is $ws{"p3 $_"}->expect('left')->{reason}, 'removed', "removed: told at $_" for 0, 1;
	$m = on('p1', 0)->post('/messages/send', text_in($id, 'alone'))->json;
	is $ws{"p1 $_"}->expect('message', sub { ($_[0]{message}{content} // '') eq 'alone' })->{message}{id}, $m->{id}, "who stays hears on: at $_" for 0, 1;
	$t->send_text('p1', $_, 'behind it') for qw(p2 p3);
	for my $ws (@ws{map { ("p2 $_", "p3 $_") } 0, 1}) {
		is $ws->expect('message', sub { my $of = $_[0]{message}; $of->{conversation_id} eq $id ? $of->{seq} >= $m->{seq} : $of->{content} eq 'behind it' })->{message}{content}, 'behind it', "$ws->{name} hears nothing of the group";
	}
	is $t->node->ctl_ok('group', 'add', $id, 'p3', '--json')->{changed} ? 1 : 0, 1, 'the operator adds one';
	is $ws{"p3 $_"}->expect('conversation')->{conversation}{id}, $id, "who is told: at $_" for 0, 1;
	$_->abort for values %ws;
};

subtest 'one key' => sub {
	my @answers = at_once(map { ['p1', 'POST', '/groups', json => {name => 'Once', user_ids => ['p2'], client_group_id => 'once'}] } 1 .. 20);
	my (%ids, %n);
	$ids{$_->json->{id}}++, $n{$_->status}++ for @answers;
	is_deeply \%n, {201 => 1, 200 => 19}, 'of twenty one makes it';
	is scalar(keys %ids), 1, 'and all have the same group';
	is $t->dbh->selectrow_array(q{SELECT COUNT(*) FROM group_profiles WHERE client_group_id = 'once'}), 1, 'there is one';
};

subtest 'at one moment' => sub {
	for my $round (1 .. 6) {
		my $id = $t->group('p1', [qw(p2 p3 p4)], settings => {join => 'open'});
		$t->api('p1')->put("/groups/$id/members/p2", {role => 'admin'});
		my %ws = map { ($_ => $t->ws($_, node => rand 2, name => $_)) } @people;
		my @requests = ((map { my $user = $_; map { [$user, 'POST', '/messages/send', json => text_in($id, "$user $_")] } 1 .. 3 } @people[0 .. 4]),
			['p2', 'DELETE', "/groups/$id/members/p3"], ['p1', 'DELETE', "/groups/$id/members/p3"], ['p3', 'DELETE', "/groups/$id/members/p3"],
			['p4', 'DELETE', "/groups/$id/members/p4"], ['p1', 'POST', "/groups/$id/members", json => {user_ids => [qw(p4 p5)]}], ['p5', 'POST', "/groups/$id/join", json => {}],
			['p6', 'POST', "/groups/$id/join", json => {}], ['p1', 'PUT', "/groups/$id/owner", json => {user_id => 'p2'}],
			$round % 2 ? ['p1', 'DELETE', "/groups/$id"] : ());
		@requests = map { splice @requests, rand @requests, 1 } 1 .. @requests;
		my @answers = at_once(@requests);
		is_deeply [grep { $_->status >= 500 || $_->status == 400 } @answers], [], "round $round: each is done or refused";
		is_deeply [$t->recount_faults], [], 'the rows are right';
		my @story = story($id);
		# Leaving a dissolved group is told to nobody.
		my %left = $t->api('p1')->get("/groups/$id")->json->{group}{dissolved_at} ? (p3 => 1, p4 => 1) : ();
		is_deeply [grep { !$left{$_} } sort keys %{$story[-1][1]}], [grep { !$left{$_} } @{members($id)}], 'the system messages tell who is in it';
		my @texts = grep { $_->{message_type} != 7 } @{rows($id)};
		my %in = map { $_->[0] => $_->[1] } @story;
		is_deeply [grep { !$in{$_->{seq}}{$_->{from_user_id}} } @texts], [], 'nobody sent who was not in it then';
		# Who was in it until the end has heard of every message from then on; nobody of one from when they were out.
		for my $user (@people) {
			my $ws = $ws{$user};
			my $since = 2;
			for my $of (@story) { $since = $of->[0] + 1 if !$of->[1]{$user} }
			my @want = grep { $_ > $since } map { $_->[0] } grep { $_->[1]{$user} } @story;
			# A user who leaves a dissolved group may be out before the last message has come. One that was late by more than a second is skipped, and its session told to catch up.
			$ws->until('its messages', sub { my %has = map { $_ => 1 } seqs($_[0], $id); $_[0]->queued('resync') || !grep { !$has{$_} } @want }) if $user !~ /p[456]/ && $story[0][1]{$user} && !$left{$user};
			$ws->settle;
			my @has = seqs($ws, $id);
			is_deeply [@has], [sort { $a <=> $b } @has], "$user: in order, " . @has;
			my %twice;
			is_deeply [grep { $twice{$_}++ } @has], [], 'each once';
			# A new member may see all earlier messages; who is out in the end sees nothing from then on.
			my ($gone) = $story[-1][1]{$user} ? () : map { $_->[0] + 1 } grep { $_->[1]{$user} } reverse @story;
			is_deeply [grep { defined $gone && $_ > $gone } @has], [], 'and none from when they were out';
		}
		$_->abort for values %ws;
	}
};

$t->stop;
done_testing;
