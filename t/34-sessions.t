# SPDX-License-Identifier: BSD-2-Clause
# Proves the session policies: who has to go when someone new comes, on whichever worker or node, told why and with
# 4001; and that two who come at the same moment agree on who stays.
use Tidings;

sub is_kicked {
	my ($ws, $by, $name) = @_;
	my $e = eval { $ws->expect('kicked') } or return fail("$name: kicked: $@");
	is_deeply [sort keys %$e], [qw(by_session reason type)], "$name: kicked";
	is $e->{by_session}, $by->session_id, "$name: by the newer one";
	ok length $e->{reason}, "$name: with a reason";
	is $ws->close_code, 4001, "$name: then 4001";
	return;
}

sub single {
	my ($t, $nodes) = @_;
	$t->befriend(qw(alice bob));
	my $last = $t->ws('alice', name => 'alice 1');
	$last->settle;
	for my $i (2 .. 6) {
		my $new = $t->ws('alice', name => "alice $i", node => $i % $nodes, query => 'device=' . ($i % 2 ? 'ios' : 'web'));
		is_kicked($last, $new, "login $i");
		$last = $new;
	}
	is $last->request(type => 'ping')->{type}, 'pong', 'the newest stays';
	my $bob = $t->ws('bob');
	$t->send_text('bob', 'alice', 'hi');
	is $last->expect('message')->{message}{content}, 'hi', 'and hears';
	is $bob->request(type => 'ping')->{type}, 'pong', 'others are not touched';
	$_->close for $last, $bob;
	$_->close_code for $last, $bob;
	return;
}

# Many at the same moment: all of them agree that the newest stays.
sub simultaneous {
	my ($t, $nodes) = @_;
	for my $round (1 .. 3) {
		my (@open, @ws);
		for my $i (1 .. 8) {
			my $node = $t->node($i % $nodes);
			my $http = Tidings::HTTP->new(address => $node->address, keep_closed => 1);
			$http->connect;
			push @open, $http;
		}
		my $token = $t->token('crowd');
		$_->send_request('GET', '/messages/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', Authorization => "Bearer $token",
			'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version' => 13]) for @open;
		for my $http (@open) {
			is $http->response->status, 101, 'upgraded';
			push @ws, Tidings::WS->adopt($http, 'crowd ' . @ws);
		}
		# What counts is the close frame; the connection may end much later.
		wait_for('one to be left', sub { (grep { !$_->{close} && do { $_->take_frames; $_->fill(0); !$_->{close} } } @ws) == 1 });
		my ($left) = grep { !$_->{close} } @ws;
		my @gone = grep { $_ != $left } @ws;
		is $left->request(type => 'ping')->{type}, 'pong', "round $round: exactly one stays";
		is_deeply [map { $_->{close}[0] } @gone], [(4001) x 7], "round $round: the others go with 4001";
		my $id = $left->expect('hello')->{session_id};
		ok scalar(grep { $_->{type} eq 'kicked' && $_->{by_session} eq $id } map { $_->queued } @gone), "round $round: which it replaced";
		$left->close->close_code;
	}
	return;
}

sub device {
	my ($t, $nodes) = @_;
	my %at = map { my $d = $_; $d => $t->ws('alice', query => $d ? "device=$d" : undef, name => "alice/$d", node => length($d) % $nodes) } '', qw(ios web desktop android);
	# A session announces itself after its hello: until then one that comes may be the older one.
	$_->settle for values %at;
	my $new = $t->ws('alice', query => 'device=web', name => 'alice/web 2', node => 1 % $nodes);
	is_kicked($at{web}, $new, 'the same device');
	my $none = $t->ws('alice', name => 'alice/none 2', node => 1 % $nodes);
	is_kicked($at{''}, $none, 'no device is a class of its own');
	is $_->request(type => 'ping')->{type}, 'pong', "$_->{name} stays" for @at{qw(ios desktop android)}, $new, $none;
	for my $bad ('device=', 'device=' . 'x' x 17, 'device=a%20b', 'device=%ff') {
		my ($r) = Tidings::WS::handshake(address => $t->node->address, token => $t->token('alice'), query => $bad);
		is $r->status, 400, "?$bad is refused";
		is $r->json->{code}, 'invalid_argument', 'with a code';
		like $r->json->{detail}, qr/device/, 'and a detail that names it';
	}
	is $_->request(type => 'ping')->{type}, 'pong', "$_->{name} still stays" for @at{qw(ios desktop android)}, $new;
	return;
}

sub multi {
	my ($t, $nodes) = @_;
	my @ws = map { $t->ws('alice', name => "alice $_", node => $_ % $nodes) } 1 .. 3;
	$_->settle for @ws;
	my $fourth = $t->ws('alice', name => 'alice 4', node => 0);
	is_kicked($ws[0], $fourth, 'over session.max the oldest goes');
	my $fifth = $t->ws('alice', name => 'alice 5', node => 1 % $nodes);
	is_kicked($ws[1], $fifth, 'and the next oldest');
	$t->befriend(qw(alice bob));
	$t->send_text('bob', 'alice', 'to all');
	is $_->expect('message')->{message}{content}, 'to all', "$_->{name} hears" for $ws[2], $fourth, $fifth;
	return;
}

# With two workers, until the two newer sessions were in every way beside the oldest and apart from it: it goes all the same.
sub multi_over_workers {
	my ($t) = @_;
	my (@open, @fillers, %seen);
	for my $i (1 .. 100) {
		last if keys %seen == 4;
		my $new = $t->ws('alice', name => "alice $i");
		my %worker = map { $_->{session_id} => $_->{worker} } @{$t->node->ctl_ok('--json', 'sessions', 'alice')->{sessions}};
		$new->{worker} = $worker{$new->session_id};
		push @open, $new;
		next if @open <= 2;
		my $oldest = shift @open;
		my $where = join ' and ', map { $_->{worker} == $oldest->{worker} ? 'beside' : 'apart' } @open;
		is_kicked($oldest, $new, "login $i, $where") if !$seen{$where}++;
		$oldest->close_code;
		is_deeply [grep { $_->request(type => 'ping')->{type} ne 'pong' } @open], [], "login $i: the newer ones stay";
		# One connection more on either worker moves the next one to the other; by chance, so that no cycle leaves one out.
		push @fillers, $t->http(undef)->connect if rand() < 0.5;
	}
	is_deeply [sort keys %seen], ['apart and apart', 'apart and beside', 'beside and apart', 'beside and beside'], 'in every arrangement';
	return;
}

for my $nodes (1, 2) {
	my $workers = $nodes == 1 ? 4 : 2;
	my @more = (workers => $workers, nodes => $nodes);
	my $where = "$nodes node(s) with $workers workers";
	subtest "single, $where" => sub {
		my $t = Tidings->start(@more, conf => {session => {policy => 'single'}});
		single($t, $nodes);
		simultaneous($t, $nodes);
		$t->stop;
	};
	subtest "device, $where" => sub {
		my $t = Tidings->start(@more, conf => {session => {policy => 'device'}});
		device($t, $nodes);
		$t->stop;
	};
	subtest "multi, which is the default, $where" => sub {
		my $t = Tidings->start(@more, conf => {session => {max => 3}});
		multi($t, $nodes);
		$t->stop;
	};
}

subtest 'multi over two workers' => sub {
	my $t = Tidings->start(workers => 2, conf => {session => {policy => 'multi', max => 2}});
	multi_over_workers($t);
	$t->stop;
};

done_testing;
