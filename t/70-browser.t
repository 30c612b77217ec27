# SPDX-License-Identifier: BSD-2-Clause
# The demo page in a real browser: two people chat, scroll, read, recall, delete, lose the connection and come back.
use strict;
use warnings;
use Tidings;
use Tidings::Browser;

plan skip_all => 'no Chromium (Debian: chromium)' if !Tidings::Browser::program();

my $t = Tidings->start(workers => 2, conf => {http => {docroot => Tidings::top() . '/contrib/web'}});
$t->befriend(qw(alice bob));
$t->send_text($_ % 2 ? 'alice' : 'bob', $_ % 2 ? 'bob' : 'alice', "old $_") for 1 .. 120;

my $browser = Tidings::Browser->start($t->dir);

sub visit {
	my ($user, %o) = @_;
	return $browser->page('http://' . $t->node->address . '/#token=' . $t->token($user), %o);
}

# The seqs on the page, from top to bottom.
my $seqs = q{[...document.querySelectorAll('.message[data-seq]')].map((m) => +m.dataset.seq)};
my $last_text = q{[...document.querySelectorAll('.message .text')].at(-1).textContent};

my $alice = visit('alice');
$alice->wait_text('#me', 'alice');
is($alice->value('location.hash'), '', 'the token leaves the address');
$alice->wait_text('.conversation[data-user=bob] .badge', '60');
is($alice->value('document.title'), '(60) Tidings', 'unread messages are counted');

subtest 'opening, scrolling back' => sub {
	$alice->type('#open-user', "bob\n");
	$alice->wait_text('.message', 'old 120');
	is_deeply($alice->value($seqs), [71 .. 120], 'the newest page comes first');
	$alice->wait_value(q{!document.querySelector('.badge')});
	pass('what is seen is read');
	for my $first (21, 1) {
		$alice->value(q{document.getElementById('timeline').scrollTop = 0});
		$alice->wait_value("($seqs)[0] === $first");
		is_deeply($alice->value($seqs), [$first .. 120], "older ones come in above, from $first");
	}
	cmp_ok($alice->value(q{document.getElementById('timeline').scrollTop}), '>', 500, 'and the place is kept');
	$alice->value(q{document.getElementById('timeline').scrollTop = 1e9});
};

my $bob = visit('bob', width => 390, height => 800, mobile => 1);
subtest 'talking' => sub {
	$bob->wait_text('.conversation[data-user=alice] .badge', '60');
	$alice->wait_value(q{document.querySelector('#peer-avatar.online')});
	pass('a friend who comes is shown online');
	$bob->click('.conversation[data-user=alice]');
	$bob->wait_text('.message', 'old 120');
	$alice->wait_value(q{[...document.querySelectorAll('.message.own .ticks')].every((e) => e.classList.contains('read'))});
	pass('the sender sees that it was read');

	my $markup = '<img src=x onerror="document.title = 1"> & <b>bold</b>';
	$alice->type('#send-text', "$markup\n");
	$bob->wait_text('.message.other .text', 'onerror');
	is($bob->value($last_text), $markup, 'markup stays text');
	is($bob->value(q{document.querySelectorAll('.timeline img, .timeline b').length}), 0, 'and makes no elements');

	$bob->type('#send-text', 'well');
	$alice->wait_text('#peer-state', 'typing');
	pass('typing is seen');
	$bob->type('#send-text', "\n");
	$alice->wait_text('.message.other .text', 'well');
	$alice->wait_value(q{!document.getElementById('peer-state').textContent.includes('typing')});
	$bob->wait_value(q{document.querySelector('.message.own:last-child .ticks.read')});
	pass('an answer comes, and is read');
};

subtest 'recalling and deleting' => sub {
	$alice->type('#send-text', "a mistake\n");
	$bob->wait_text('.message.other .text', 'a mistake');
	$alice->wait_value(q{document.querySelector('.message.own:last-child .recall')});
	$alice->click('.message.own:last-child .recall');
	$bob->wait_text('.message.other .text', 'recalled');
	$alice->wait_text('.message.own .text', 'recalled');
	unlike($bob->value('document.body.textContent'), qr/a mistake/, 'what is recalled is gone on both sides');
	is($alice->value(q{document.querySelectorAll('.message[data-seq="2"] .recall').length}), 0, "another's has no recall button");

	$bob->click('.message.own:last-child, .message.other:last-child');
	my $before = $bob->value("($seqs).length");
	$bob->click('.message.selected .delete');
	$bob->wait_value("($seqs).length === $before - 1");
	is($alice->value("($seqs).length"), 123, 'deleting is one side only');
};

subtest 'another session, and back' => sub {
	$t->node->ctl_ok('kick', 'alice');
	$alice->wait_text('#banner', 'Signed in elsewhere');
	$t->send_text('bob', 'alice', 'while you were away');
	$alice->click('#banner-button');
	$alice->wait_text('.message.other .text', 'while you were away');
	ok($alice->value(q{document.getElementById('banner').hidden}), 'what came meanwhile is caught up with');
	is_deeply([$alice->take_faults, $bob->take_faults], [], 'no error in the consoles, nothing refused by the policy');
};

subtest 'the server goes and comes' => sub {
	$t->node->stop;
	$alice->wait_text('#banner', 'Not connected');
	$alice->type('#send-text', "sent in between\n");
	$alice->wait_text('.message.pending .text', 'sent in between');
	$t->node->start;
	$bob->wait_text('.message.other .text', 'sent in between');
	$alice->wait_value(q{!document.querySelector('.message.pending')});
	is($bob->value(q{[...document.querySelectorAll('.message .text')].filter((e) => e.textContent === 'sent in between').length}),
		1, 'what was written in between arrives once');
};

my $stranger = $browser->page('http://' . $t->node->address . '/#token=nonsense');
$stranger->wait_text('#login-reason', 'token');
pass('a bad token leads to the login form');

$browser->stop;
$t->stop;
done_testing;
