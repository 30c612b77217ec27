# SPDX-License-Identifier: BSD-2-Clause
# Proves that the newer of two logins is the one that the cluster heard of later, whatever the nodes' clocks say. Once a
# login on a node whose clock was behind was closed, and the old session stayed.
use Tidings;

my $stack = Tidings::stack();

sub is_replaced {
	my ($old, $new, $name) = @_;
	is $old->expect('kicked')->{by_session}, $new->session_id, "$name: the old one is replaced by the new one";
	is $old->close_code, 4001, "$name: and closed";
	is $new->request(type => 'ping')->{type}, 'pong', "$name: the new one stays";
	return;
}

sub behind {
	my ($t, $secs) = @_;
	$t->node(1)->wall_clock(-$secs);
	my $old = $t->ws('alice', node => 0, name => 'first');
	for my $node (1, 0, 1, 1, 0) {
		my $new = $t->ws('alice', node => $node, name => "on node $node");
		is_replaced($old, $new, "$secs s behind, on node $node");
		$old = $new;
	}
	$old->close->close_code;
	$t->node(1)->wall_clock($secs);
	return;
}

# Everyone who logs in stays until the next one does.
sub quickly {
	my ($t, $n) = @_;
	my $old = $t->ws('quick');
	my $wrong = 0;
	for my $i (1 .. $n) {
		my $new = $t->ws('quick', node => $i % 2);
		$wrong++ if $old->close_code != 4001;
		$old = $new;
	}
	is $wrong, 0, "of $n logins each replaces the one before";
	is $old->request(type => 'ping')->{type}, 'pong', 'and the last one stays';
	return;
}

subtest 'single' => sub {
	my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'single'}});
	behind($t, $_) for 0.4, 5, 3600;
	quickly($t, 60);
	my $old = $t->ws('bob', node => 0);
	$t->node(0)->wall_clock(-7200);
	my $new = $t->ws('bob', node => 0);
	is_replaced($old, $new, 'the clock was set back between the two');
	# Both clocks say something else, and both logins are on their way at once.
	for my $round (1 .. 5) {
		my @http = map { Tidings::HTTP->new(address => $t->node($_ % 2)->address, keep_closed => 1)->connect } 1 .. 6;
		my $token = $t->token("crowd$round");
		$_->send_request('GET', '/messages/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', Authorization => "Bearer $token",
			'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version' => 13]) for @http;
		my @ws = map { $_->response; Tidings::WS->adopt($_, 'crowd') } @http;
		wait_for('one to be left', sub { (grep { !$_->{close} && do { $_->take_frames; $_->fill(0); !$_->{close} } } @ws) == 1 });
		my ($left) = grep { !$_->{close} } @ws;
		is $left->request(type => 'ping')->{type}, 'pong', "round $round: exactly one of six stays";
		my %by = map { $_->expect('kicked')->{by_session} => 1 } grep { $_ != $left } @ws;
		ok $by{$left->expect('hello')->{session_id}}, 'which is the one that replaced others';
	}
	$t->stop;
};

subtest 'multi' => sub {
	my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'multi', max => 3}});
	$t->node(1)->wall_clock(-3600);
	my @ws = map { $t->ws('alice', node => $_ % 2, name => "login $_") } 1 .. 3;
	for my $i (4 .. 8) {
		my $new = $t->ws('alice', node => $i % 2, name => "login $i");
		is_replaced(shift @ws, $new, "over session.max the oldest goes, login $i");
		push @ws, $new;
		is $_->request(type => 'ping')->{type}, 'pong', "$_->{name} stays" for @ws;
	}
	$t->stop;
};

subtest 'device' => sub {
	my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'device'}});
	$t->node(1)->wall_clock(-5);
	my %old = map { $_ => $t->ws('alice', node => 0, query => "device=$_", name => $_) } qw(ios web);
	my $new = $t->ws('alice', node => 1, query => 'device=ios', name => 'ios again');
	is_replaced($old{ios}, $new, 'of the same class');
	is $old{web}->request(type => 'ping')->{type}, 'pong', 'the other class stays';
	$t->stop;
};

# Nobody hears of these logins before Redis is back, and the nodes come back in any order. Which of them stays may then
# depend on how fast they were told of (policy.h, "Limit"); who was there before does not stay, and the next login replaces all.
subtest 'logins while Redis is away' => sub {
	my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'single'}});
	$t->node(1)->wall_clock(-3600);
	for my $nodes ([0, 1, 1, 0, 0], [1, 0, 1, 0, 1]) {
		my ($first, @away) = @$nodes;
		my $before = $t->ws('alice', node => $first, name => 'before');
		wait_for('Redis in every worker', sub { !grep { !$_->ctl_ok('--json', 'status')->{redis} } $t->nodes });
		$stack->redis_stop('KILL');
		wait_for('/readyz to notice', sub { !grep { $_->admin_http->get('/readyz')->status != 503 } $t->nodes });
		my @ws = ($before, map { $t->ws('alice', node => $_, name => "away on node $_") } @away);
		$stack->redis_start;
		is $before->close_code, 4001, 'who was there before goes';
		wait_for('Redis in every worker', sub { !grep { !$_->ctl_ok('--json', 'status')->{redis} } $t->nodes });
		my $next = $t->ws('alice', node => 1, name => 'afterwards');
		is $_->close_code, 4001, "$_->{name} goes, by then" for @ws;
		is $next->request(type => 'ping')->{type}, 'pong', 'a login afterwards stays';
		$next->close->close_code;
	}
	$t->stop;
};

done_testing;
