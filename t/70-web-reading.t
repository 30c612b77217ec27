# SPDX-License-Identifier: BSD-2-Clause
# Proves what the chat page marks as read: what was on the screen of somebody who looked at it, and nothing else. And
# where one finds oneself in a conversation: at the first unread message, under a line, however many there are; or, after
# looking elsewhere or being without a connection, at a line where one left off.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
my @peers = qw(ben cat dan eve fay gus);
$t->befriend('ann', @peers);

# window.looks: whether the window has the focus.
my $looks = q{window.looks = true; Document.prototype.hasFocus = () => window.looks;
	window.look = (looks) => { window.looks = looks; dispatchEvent(new Event(looks ? 'focus' : 'blur')); };};
my $seen = q{(() => { const frame = document.querySelector('.timeline').getBoundingClientRect();
	return [...document.querySelectorAll('.message')].filter((e) => { const r = e.querySelector('.bubble').getBoundingClientRect(); return r.bottom <= frame.bottom + 1 && r.top >= frame.top; }).map((e) => +e.dataset.seq); })()};
my $line = q{(() => { const frame = document.querySelector('.timeline').getBoundingClientRect(), e = document.querySelector('.separator.new');
	return e === null ? null : {at: e.getBoundingClientRect().top - frame.top, height: frame.height, next: +e.nextElementSibling.dataset.seq}; })()};

# How the server counts: ann's unread messages of that peer, and up to where she has read.
sub counted {
	my ($peer) = @_;
	my ($c) = grep { $_->{peer}{user_id} eq $peer } @{$t->api('ann')->get('/messages/conversations')->json->{items}};
	return ($c->{unread_count}, $c->{read_seq});
}
sub send_many { my ($peer, $from, $to) = @_; $t->send_text($peer, 'ann', "message $_") for $from .. $to; return }

# That ann has read what the page shows, and no more: the server hears of it a moment later.
sub read_is_what_was_seen {
	my ($page, $peer, $all, $what) = @_;
	my $last;
	wait_for("$what to be read", sub { $last = $page->value("Math.max(...$seen)"); my (undef, $read) = counted($peer); $read == $last });
	cmp_ok $last, '<', $all, "$what: not all of it was on the screen";
	is_deeply [counted($peer)], [$all - $last, $last], "$what: what was on the screen is read, and nothing else";
	return $last;
}

subtest 'opening what has more than a screen' => sub {
	send_many('ben', 1, 60);
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	$ann->wait_text('.chat[data-user=ben] .badge', '60')->open_chat('ben')->wait_text('.separator.new', 'New messages');
	my $at = $ann->value($line);
	is $at->{next}, 1, 'the line is over the first unread one';
	my $last = read_is_what_was_seen($ann, 'ben', 60, 'opened');
	$ann->value(q{document.querySelector('.timeline').scrollTop += 300});
	$ann->wait_value("Math.max(...$seen) > $last");
	cmp_ok read_is_what_was_seen($ann, 'ben', 60, 'scrolled on'), '>', $last, 'and more when it is scrolled';
	$ann->wait_value(q{+document.querySelector('.latest .badge').textContent === +document.querySelector('.chat[data-user=ben] .badge').textContent});
	$ann->click('.latest')->wait_last('message 60');
	wait_for('the rest', sub { (counted('ben'))[0] == 0 });
	pass 'who goes on to the latest has read them all';
	is_deeply [$ann->take_faults], [], 'no fault in the console';
	$ann->close;
};

subtest 'nobody looks at it' => sub {
	send_many('cat', 1, 40);
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	$ann->value('look(false)');
	$ann->open_chat('cat')->wait_text('.separator.new', 'New messages');
	$ann->wait_value("$seen.length > 5");
	send_many('cat', 41, 41);
	$ann->wait_text('[aria-live=polite]', 'message 41');
	is_deeply [counted('cat')], [41, 0], 'a window without the focus reads nothing';
	$ann->value('look(true)');
	read_is_what_was_seen($ann, 'cat', 41, 'looked at');
	$ann->close;
};

subtest 'more unread than a page of history' => sub {
	my $first = $t->send_text('dan', 'ann', "message 1")->{conversation_id};
	send_many('dan', 2, 20);
	$t->api('ann')->put("/messages/conversations/$first/read", {});
	send_many('dan', 21, 270);
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	$ann->open_chat('dan')->wait_text('.separator.new', 'New messages');
	my $at = $ann->wait_value($line);
	is $at->{next}, 21, 'the line is over the first unread one, 250 messages up';
	ok $at->{at} >= 0 && $at->{at} < $at->{height} / 2, 'and in view';
	read_is_what_was_seen($ann, 'dan', 270, 'opened');
	is_deeply [$ann->take_faults], [], 'no fault in the console';
	$ann->close;
};

subtest 'after looking elsewhere' => sub {
	send_many('eve', 1, 30);
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	$ann->open_chat('eve')->wait_text('.separator.new', 'New messages')->click('.latest')->wait_last('message 30');
	wait_for('all to be read', sub { (counted('eve'))[0] == 0 });
	$ann->open_chat('ben')->open_chat('eve')->wait_last('message 30');
	is $ann->value($line), undef, 'at first there is no line';
	$ann->value('look(false)');
	send_many('eve', 31, 32);
	$ann->wait_last('message 32')->wait_text('.separator.new', 'New messages');
	is $ann->value($line)->{next}, 31, 'what comes in meanwhile is under a line';
	$ann->wait_value("$seen.includes(32)");
	pass 'at the end it stays at the end';
	send_many('eve', 33, 75);
	$ann->wait_text('[aria-live=polite]', 'message 75');
	$ann->wait_value("($line).next === 31 && ($line).at >= 0 && ($line).at < 200");
	pass 'but not longer than the line is in view';
	is_deeply [counted('eve')], [45, 30], 'nothing of it is read';
	$ann->value('look(true)');
	read_is_what_was_seen($ann, 'eve', 75, 'looked at again');
	is $ann->value($line)->{next}, 31, 'the line stays where one left off';
	$ann->value('look(false)');
	$ann->value('look(true)');
	is $ann->value($line)->{next}, 31, 'looking away for a moment does not move it';
	$ann->close;
};

subtest 'after being without a connection' => sub {
	send_many('fay', 1, 30);
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	$ann->open_chat('fay')->wait_text('.separator.new', 'New messages')->click('.latest')->wait_last('message 30');
	wait_for('all to be read', sub { (counted('fay'))[0] == 0 });
	$ann->open_chat('ben')->open_chat('fay')->wait_last('message 30');
	$t->node->ctl_ok('kick', 'ann');
	$ann->wait_text('.banner', 'An administrator has disconnected');
	send_many('fay', 31, 80);
	$ann->click('.banner button')->wait_online->wait_text('.separator.new', 'New messages');
	$ann->wait_value("($line).next === 31 && ($line).at >= 0");
	pass 'a line where one left off';
	read_is_what_was_seen($ann, 'fay', 80, 'back again');
	$ann->close;
};

subtest 'an open conversation that is looked at' => sub {
	my $ann = $web->enter('ann', before => $looks, width => 1000, height => 700);
	send_many('gus', 1, 1);
	$ann->open_chat('gus')->wait_last('message 1');
	for my $n (2 .. 40) {
		send_many('gus', $n, $n);
		$ann->wait_last("message $n");
	}
	wait_for('all to be read', sub { (counted('gus'))[0] == 0 });
	$ann->value(q{document.querySelector('.timeline').scrollTop = 0});
	is $ann->wait_value($line)->{next}, 1, 'what comes in before one\'s eyes is read, and has no line of its own';
	is_deeply [$ann->take_faults], [], 'no fault in the console';
	$ann->close;
};

is_deeply [$t->recount_faults], [], 'the rows agree with the counters';
$web->stop;
done_testing;
