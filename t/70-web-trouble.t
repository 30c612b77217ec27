# SPDX-License-Identifier: BSD-2-Clause
# Proves what the chat page does when things go wrong: the server goes and comes, what was written meanwhile arrives once,
# also when the page was loaded again in between; another login takes the account over; a message is refused.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$ann->click('#tab-friends')->click('[data-user=ben] a')->click('#tab-chats');
$ann->say_text('before');
$ben->open_chat('ann')->wait_last('before');

sub copies { my ($page, $text) = @_; return scalar grep { $_ eq $text } @{$page->texts} }

subtest 'the server goes and comes' => sub {
	$t->node->stop;
	$_->wait_text('.banner', 'No connection') for $ann, $ben;
	pass 'a banner says so';
	$ann->say_text('written meanwhile')->say_text('and more');
	$ann->wait_count('.message.pending', 2)->wait_value(q{document.querySelector('.message.pending .ticks.waiting')});
	pass 'what is written is shown as waiting';
	$ann->choose('.message.pending:last-child', 'Discard')->wait_count('.message.pending', 1);
	pass 'and can be taken back';
	$ann->say_text('the last');
	$t->node->start;
	$_->wait_last('the last') for $ann, $ben;
	$ann->wait_gone('.message.pending');
	is_deeply $_->texts, ['before', 'written meanwhile', 'the last'], 'it is sent when the server is back, once and in order' for $ann, $ben;
	$_->wait_value(q{document.querySelector('.banner').hidden}) for $ann, $ben;
	pass 'and the banner goes';
	$_->take_faults for $ann, $ben; # the browser's own about the server that was away
};

subtest 'a page loaded again with something unsent' => sub {
	# The account is refused for a moment by nothing but time: what waits is in the storage, not in the page.
	$t->node->stop;
	$ann->wait_text('.banner', 'No connection');
	$ann->say_text('kept');
	$ann->wait_count('.message.pending', 1);
	$ann->wait_value(q{Object.entries(sessionStorage).some(([k, v]) => k.endsWith(':outbox') && v.includes('kept'))});
	$t->node->start;
	$ann->reload->wait_online;
	$ben->wait_last('kept');
	$ann->wait_last('kept')->wait_gone('.message.pending');
	is copies($_, 'kept'), 1, 'arrives once' for $ann, $ben;
	$_->take_faults for $ann, $ben;
};

subtest 'another login' => sub {
	my $other = $web->enter('ann');
	$ann->wait_text('.banner', 'used elsewhere');
	ok $ann->value(q{document.querySelector('.composer').hidden}), 'the page says what happened, and does not pretend to send';
	$t->send_text('ben', 'ann', 'while you were away');
	$ann->click('.banner button')->wait_last('while you were away');
	ok $ann->value(q{document.querySelector('.banner').hidden}), 'taken back, it has caught up';
	$other->wait_text('.banner', 'used elsewhere');
	$other->close;
	$t->node->ctl_ok('kick', 'ann');
	$ann->wait_text('.banner', 'used elsewhere');
	$ann->click('.banner button');
	$ann->wait_online;
	is $ann->count('.message'), 5, 'nothing is lost or doubled';
	is_deeply [$ann->take_faults], [], 'no fault in the console';
};

subtest 'refused' => sub {
	$t->set_blocked('ben', 'ann', 1);
	$ann->say_text('refused');
	$ann->wait_text('.message.failed .failure', 'does not take messages');
	$ann->reload->wait_online->wait_text('.message.failed .text', 'refused');
	pass 'a message that was refused stays, also when the page is loaded again';
	$t->set_blocked('ben', 'ann', 0);
	$ann->click('.failure .retry')->wait_gone('.message.failed');
	$ben->wait_last('refused');
	is copies($_, 'refused'), 1, 'sent again it arrives, once' for $ann, $ben;
	$t->set_blocked('ben', 'ann', 1);
	$ann->say_text('given up');
	$ann->wait_text('.message.failed .text', 'given up');
	$ann->choose('.message.failed', 'Discard')->wait_gone('.message.failed');
	$ann->reload->wait_online->wait_last('refused');
	is $ann->count('.message.failed'), 0, 'or it is given up';
};

is_deeply [$t->recount_faults], [], 'the rows agree with the counters';
$web->stop;
done_testing;
