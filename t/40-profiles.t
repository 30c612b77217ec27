# SPDX-License-Identifier: BSD-2-Clause
# Proves that lists show nicknames and avatars as they are, though workers remember them for a while: what is changed
# through any node is seen in all, also where Redis was away meanwhile, and what another system writes is seen soon.
use utf8;
use Tidings;

# One worker a node: what it has heard of one thing, it has heard of all that was said before.
my $t = Tidings->start(workers => 1, nodes => 2);
$t->befriend(qw(ann bob));
my $dbh = $t->dbh;
my ($message) = $t->send_text('ann', 'bob', 'first');
my $id = $message->{conversation_id};
my $ann = $t->http('ann');
my @bob = map { $t->http('bob', node => $_) } 0, 1;

# How bob sees ann, in all places.
sub peers {
	my ($node) = @_;
	my @seen = ($bob[$node]->get('/messages/conversations')->json->{items}[0],
		$bob[$node]->post('/messages/sync', {conversations => [{id => $id, seq => 0, change_seq => 0}], since => undef})->json->{conversations}[0]{conversation},
		$bob[$node]->post('/messages/conversations/create', {user_id => 'ann'})->json);
	return map { [@{$_->{peer}}{qw(user_id nickname avatar_url)}] } @seen;
}

sub seen_is { my ($node, $nickname, $avatar_url, $what) = @_; return is_deeply [peers($node)], [(['ann', $nickname, $avatar_url]) x 3], $what }

# Until bob's worker on the other node has heard what this one has said.
my $bob = $t->ws('bob', node => 1);
my $said = 0;
sub heard {
	my $content = 'heard ' . ++$said;
	$ann->post('/messages/send', text_to('bob', $content));
	1 while $bob->expect('message')->{message}{content} ne $content;
	return;
}

subtest 'changed through a node' => sub {
	seen_is($_, 'Ann', undef, "node $_ shows a profile") for 0, 1;
	for my $name ('Anna', q{');DROP TABLE users;-- "\\ %s%n {{7*7}} <b>}, 'נועה 💣', 'n' x 64) {
		is $ann->put('/users/me', {nickname => $name, avatar_url => 'https://x/' . length $name})->status, 200, 'a change';
		seen_is(0, $name, 'https://x/' . length $name, 'is seen where it was made');
		heard();
		seen_is(1, $name, 'https://x/' . length $name, 'and on the other node') for 1, 2;
	}
	$ann->put('/users/me', {avatar_url => undef});
	heard();
	seen_is(1, 'n' x 64, undef, 'what is cleared goes');
};

subtest 'written by another system' => sub {
	for my $name ("By\x{202e} hand\n\x01", undef) {
		$dbh->do("UPDATE users SET nickname = ?, avatar_url = 'https://x/\"y' WHERE id = 'ann'", undef, $name);
		$_->clock(10) for $t->nodes;
		seen_is($_, $name && 'By hand', 'https://x/"y', "is seen soon on node $_") for 0, 1;
	}
	$dbh->do("DELETE FROM users WHERE id = 'ann'");
	$_->clock(10) for $t->nodes;
	seen_is($_, undef, undef, "and so is that there is none, on node $_") for 0, 1;
	$dbh->do("INSERT INTO users (id, nickname) VALUES ('ann', 'Ann again')");
	seen_is($_, 'Ann again', undef, "a new one is seen at once on node $_") for 0, 1;
};

subtest 'while Redis is away' => sub {
	my $hears = sub { return $t->node(1)->ctl_ok('--json', 'status')->{redis} };
	$t->stack->redis_stop('KILL');
	wait_for('the other node to notice', sub { !$hears->() });
	seen_is(1, 'Ann again', undef, 'remembered');
	is $ann->put('/users/me', {nickname => 'Unheard'})->status, 200, 'a change of which the other node hears nothing';
	$t->stack->redis_start;
	wait_for('the other node to hear again', $hears);
	seen_is(1, 'Unheard', undef, 'is seen when Redis is back');
};

$t->stop;
done_testing;
