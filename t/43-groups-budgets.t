# SPDX-License-Identifier: BSD-2-Clause
# Proves what groups cost: strangers learn nothing by the fan-out of a node, members pay for it wherever they are connected,
# and nobody joins and leaves, or makes groups, without end.
use Tidings;

subtest 'the fan-out of a node' => sub {
	my $t = Tidings->start(workers => 1, conf => {groups => {fanout_per_second => 1}});
	$t->befriend('alice', 'dave', map { "u$_" } 1 .. 3);
	my $id = $t->group('alice', ['dave', map { "u$_" } 1 .. 3]);
	my $none = $id + 1000;
	my @ws = map { $t->ws($_) } 'alice', map { "u$_" } 1 .. 3;
	my $eve = $t->http('eve');
	my $send = sub { my ($http, $to) = @_; return $http->post('/messages/send', text_in("$to", 'x'))->status };
	# Of messages that come at once some are refused, and some are not in the end.
	my $refused = sub {
		my ($user) = @_;
		my @http = map { $t->http($user) } 1 .. 4;
		my %seen;
		wait_for("$user to be refused and not", sub {
			$_->send_request(POST => '/messages/send', json => text_in("$id", 'x')) for @http;
			$seen{$_->response->status}++ for @http;
			return $seen{429} && $seen{201};
		});
		return is_deeply [sort keys %seen], [201, 429], "$user sends as much as the node may pass on";
	};
	$refused->('alice');
	is $send->($eve, $_), 404, 'a stranger does not learn by it which groups exist' for $id, $none;
	is $eve->post("/groups/$_/join")->status, 404, 'nor by joining' for $id, $none;
	$refused->('dave');
	is $send->($eve, $id), 404, 'a member without a session is told from a stranger';
	# Edits are told to as many. Each user edits a message of their own, each time to another text.
	my $edits = 0;
	my $edits_refused = sub {
		my ($user) = @_;
		my @http = map { $t->http($user) } 1 .. 4;
		my $m;
		wait_for("$user to send", sub { my $r = $http[0]->post('/messages/send', text_in("$id", 'x')); $m = $r->json; return $r->status == 201 });
		my (%seen, %why);
		wait_for("edits of $user to be refused and not", sub {
			$_->send_request(PUT => "/messages/$m->{id}", json => {content => 'edit ' . ++$edits}) for @http;
			for my $r (map { $_->response } @http) {
				$seen{$r->status}++;
				$why{$r->code . ' ' . $r->detail}++ if $r->status != 200;
			}
			return $seen{429} && $seen{200};
		});
		is_deeply [keys %why], ['rate_limited this node is sent more to groups than it may pass on in a second'], "$user edits as much as the node may pass on";
		return $m;
	};
	my $edit = sub { my ($http, $message) = @_; return $http->put("/messages/$message", {content => 'x'})->status };
	for my $user (qw(alice dave)) {
		my $m = $edits_refused->($user);
		is $edit->($eve, $_), 404, "a stranger does not learn from edits which groups owe something, beside $user" for $m->{id}, $m->{id} + 1;
	}
	is $t->http('alice')->post("/groups/$id/invites", {})->status, 201, 'what nobody is told of costs nothing';
	is $t->http('u1')->delete("/groups/$id/members/u1")->status, 204, 'and one may leave at any time';
	$_->abort for @ws;
	$t->stop;
};

subtest 'who may not send' => sub {
	my $t = Tidings->start(workers => 1, conf => {session => {policy => 'multi'}, groups => {fanout_per_second => 3}});
	$t->befriend(qw(alice bob carol));
	my ($id, $other) = ($t->group('alice', ['bob']), $t->group('alice', ['carol']));
	my ($alice, $bob, $carol) = map { $t->ws($_) } qw(alice bob carol);
	wait_for('a member to be muted', sub { $t->http('alice')->put("/groups/$id/members/bob", {muted_until => '2099-01-01T00:00:00Z'})->status == 200 });
	wait_for('a member who is muted to be refused for that', sub { $t->http('bob')->post('/messages/send', text_in("$id", 'x'))->status == 403 });
	# The group's head is held, so the store cannot answer what is asked of it.
	my $holder = $t->{stack}->dbh($t->{database});
	$holder->do('START TRANSACTION');
	$holder->do("SELECT id FROM group_heads WHERE id = $id FOR UPDATE");
	my @waiting = map { $t->http('bob') } 1 .. 4;
	$_->send_request(POST => '/messages/send', json => text_in("$id", 'y')) for @waiting;
	wait_for('others to send meanwhile', sub { $t->http('carol')->post('/messages/send', text_in("$other", 'z'))->status == 201 });
	$holder->do('ROLLBACK');
	is_deeply [sort map { $_->response->status } @waiting], [(403) x 4], 'who is muted holds no tokens of the node meanwhile';
	$_->abort for $alice, $bob, $carol;
	$t->stop;
};

# How often it can be done at once, and the refusal.
sub times_of {
	my ($do) = @_;
	for my $n (0 .. 500) {
		my $r = $do->($n);
		return ($n, $r) if $r->status >= 400;
	}
	return;
}

subtest 'joining and leaving' => sub {
	my $t = Tidings->start(workers => 1, conf => {limits => {sends_per_second => 1000, burst => 1000, requests_per_second => 1, requests_burst => 500}});
	$t->befriend(qw(alice bob));
	my ($id, $other) = map { $t->group('alice', ['bob'], settings => {join => 'open'}) } 1, 2;
	my $bob = $t->http('bob');
	my $code = $t->api('alice')->post("/groups/$id/invites", {})->json->{code};
	my $move = sub { my ($g, $n) = @_; return $n % 2 ? $bob->post("/groups/$g/join") : $bob->delete("/groups/$g/members/bob") };
	my ($n, $r) = times_of(sub { $move->($id, $_[0]) });
	ok $n >= 20, "a user may come and go some times at once ($n)";
	is_deeply [$r->status, $r->code], [429, 'rate_limited'], 'but not without end';
	ok $r->header('retry-after') >= 1, 'with the time to wait';
	is $move->($other, 0)->status, 204, 'which is no other group\'s';
	is $t->api('alice')->post("/groups/$id/members", {user_ids => ['bob']})->status, 200, 'nor what others do';
	my ($codes, $refused) = times_of(sub { $t->api('alice')->delete("/groups/$id/members/bob"); $bob->post("/invites/$code") });
	ok $codes >= 20 && $refused->status == 429, "a code is used so often as well ($codes)";

	# Whoever lets users ask for more, as a test of load does, lets them move more.
	my $conf = $t->node->{conf};
	$t->node->configure({%$conf, limits => {%{$conf->{limits}}, requests_burst => 5000}})->reload;
	$t->befriend(qw(alice carol));
	$t->api('alice')->post("/groups/$id/members", {user_ids => ['carol']});
	my $carol = $t->http('carol');
	is_deeply [grep { $_ >= 400 } map { ($carol->delete("/groups/$id/members/carol")->status, $carol->post("/groups/$id/join")->status) } 1 .. 40], [], 'it grows with the limit of all requests';
	$t->stop;
};

subtest 'making groups' => sub {
	my $t = Tidings->start(workers => 1, conf => {limits => {sends_per_second => 1000, burst => 1000, requests_per_second => 1, requests_burst => 500}});
	my $http = $t->http('alice');
	my ($n, $r) = times_of(sub { $http->post('/groups', {name => 'g'}) });
	ok $n >= 200, "a user may make many groups at once ($n)";
	is_deeply [$r->status, $r->code], [429, 'rate_limited'], 'but not without end';
	ok $r->header('retry-after') >= 1, 'with the time to wait';
	is $t->http('bob')->post('/groups', {name => 'g'})->status, 201, 'others may all the same';
	$t->stop;
};

subtest 'changing groups' => sub {
	my $t = Tidings->start(workers => 1, conf => {limits => {sends_per_second => 1000, burst => 1000, requests_per_second => 1, requests_burst => 1000}});
	$t->befriend(qw(alice bob));
	my ($id, $other) = ($t->group('alice', ['bob']), $t->group('bob', ['alice']));
	my $http = $t->http('alice');
	my ($n, $r) = times_of(sub { $http->put("/groups/$id", {name => "n$_[0]"}) });
	ok $n >= 200, "a user may change groups many times at once ($n)";
	is_deeply [$r->status, $r->code], [429, 'rate_limited'], 'but not without end';
	ok $r->header('retry-after') >= 1, 'with the time to wait';
	is $http->delete("/groups/$id/members/bob")->status, 204, 'what not all members are shown is another matter';
	is $t->http('bob')->put("/groups/$other", {name => 'x'})->status, 200, 'and so is what others change';
	$t->stop;
};

done_testing;
