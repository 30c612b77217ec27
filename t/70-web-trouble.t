# SPDX-License-Identifier: BSD-2-Clause
# Proves what the chat page does when things go wrong: the server goes and comes, what was written meanwhile arrives once,
# also when the page was loaded again in between; another login takes the account over; a message is refused; a storage is
# full or forbidden; the browser refuses notifications; the network goes silent.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start(conf => {session => {policy => 'single'}});
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
	my $dots = q{document.querySelectorAll('.side-panel .dot, .room-header .dot').length};
	$ann->wait_value("$dots === 0 && document.querySelector('.room-status').textContent === ''");
	$ann->click('#tab-friends')->fill('.people [role=search] input', "ben\n")->wait_text('.found .fault', 'The server cannot be reached.');
	is $ann->value(q{document.querySelector('[data-section=friends] [data-user=ben] small').textContent}), '', 'and nobody is called online or offline meanwhile';
	$ann->click('#tab-chats');
	$ann->say_text('written meanwhile')->say_text('and more');
	$ann->wait_count('.message.pending', 2)->wait_value(q{document.querySelector('.message.pending .ticks.waiting')});
	pass 'what is written is shown as waiting';
	$ann->choose('.message.pending:last-child', 'Discard')->wait_count('.message.pending', 1);
	pass 'and can be taken back';
	$ann->say_text('the last');
	$t->node->start;
	$_->wait_last('the last') for $ann, $ben;
	$ann->wait_gone('.message.pending');
	$ann->wait_text('.room-status', 'online')->wait_value("$dots === 3");
	is $ann->value(q{document.querySelector('.found').textContent}), '', 'the fault of a search goes when the connection is back';
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
	$ann->wait_text('.banner', 'An administrator has disconnected this page.');
	$ann->click('.banner button', 'Connect again');
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

subtest 'a storage that is full' => sub {
	$t->set_blocked('ben', 'ann', 0);
	my $page = $web->enter('ann', before => q{window.full = false; const setItem = Storage.prototype.setItem;
		Storage.prototype.setItem = function (...given) { if (window.full) throw new DOMException('full', 'QuotaExceededError'); return setItem.apply(this, given); };});
	$page->open_chat('ben')->type('#compose', 'not twice');
	$page->wait_value(q{Object.entries(sessionStorage).some(([k, v]) => k.endsWith(':drafts') && v.includes('not twice'))});
	$page->value('window.full = true');
	$page->key('Enter')->wait_last('not twice')->wait_text('.note', 'no room left');
	is $page->value(q{document.querySelector('#compose').value}), '', 'what is sent leaves the composer';
	$page->key('Enter');
	$page->say_text('the next')->wait_last('the next')->wait_gone('.message.pending');
	$ben->wait_last('the next');
	is copies($_, 'not twice'), 1, 'it arrives, once' for $page, $ben;
	$page->value('document.querySelector(".chat[data-user=ben]").focus()');
	$page->reload->wait_online->open_chat('ben')->wait_last('the next');
	is $page->value(q{document.querySelector('#compose').value}), '', 'and is no draft again when the page is loaded again';
	is copies($page, 'not twice'), 1, 'nor sent again';
	is_deeply [$page->take_faults], [], 'no fault in the console';
	$page->close;
};

subtest 'a storage that is forbidden' => sub {
	$t->http(undef)->post('/users/register', {user_id => 'dan', password => 'correct horse'});
	my $page = $web->visit(before => q{for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});});
	$page->log_in('dan', 'correct horse');
	$page->wait_online->click('.mine')->wait_text('.dialog h2', 'Settings');
	is_deeply [$page->take_faults], [], 'the page does without';
	$page->close;
};

subtest 'a browser that takes notifications from a service worker alone' => sub {
	my $stub = q{window.alerts = []; window.Notification = class { constructor() { throw new TypeError('Illegal constructor'); } static permission = 'granted'; static async requestPermission() { return 'granted'; } };
		Document.prototype.hasFocus = () => false;
		Object.defineProperty(navigator, 'serviceWorker', {value: {getRegistration: async () => window.worker}}); localStorage.setItem('tidings-web:alerts', 'yes');};
	my $page = $web->enter('ann', before => $stub);
	$page->open_chat('ben');
	$t->send_text('ben', 'ann', 'shown all the same');
	$page->wait_last('shown all the same')->wait_text('.chat[data-user=ben] .preview', 'shown all the same');
	pass 'without one a message is shown all the same';
	$page->value('void (window.worker = {showNotification: async (title, {body}) => alerts.push([title, body])})');
	$t->send_text('ben', 'ann', 'and told');
	$page->wait_last('and told')->wait_value('alerts.length === 1');
	is_deeply $page->value('alerts'), [['Ben', 'and told']], 'and with one also told of';
	is_deeply [$page->take_faults], [], 'no fault in the console';
	$page->close;
};

subtest 'what is sent looks like what it will be' => sub {
	my $page = $web->enter('ann');
	$page->open_chat('ben');
	$page->value(q{void (window.quotes = [], new MutationObserver(() => document.querySelectorAll('.message.own:last-child .quote').forEach((e) => quotes.push(e.textContent))).observe(document.querySelector('.rows'), {childList: true, subtree: true}))});
	$t->node->stop; # so that it is shown before it is stored
	$page->wait_text('.banner', 'No connection');
	$page->say_text('no reply at all')->wait_last('no reply at all');
	$t->node->start;
	$page->wait_gone('.message.pending')->wait_last('no reply at all');
	is_deeply $page->value('quotes'), [], 'a message that is no reply has no quote, not even while it is sent';
	$page->value(q{(() => { const text = document.querySelector('#compose'); text.focus(); text.value = 'ni hao'; text.dispatchEvent(new Event('input', {bubbles: true}));
		text.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true})); })()});
	is $page->value(q{document.querySelector('#compose').value}), 'ni hao', 'the Enter that ends a composition in Safari sends nothing';
	$page->key('Enter')->wait_last('ni hao');
	$page->take_faults; # the browser's own about the server that was away
	$page->close;
};

is_deeply [$t->recount_faults], [], 'the rows agree with the counters';
$web->stop;

# With a server that asks for no heartbeat: the page has to notice by itself.
my $quiet = Tidings::Web->start(conf => {websocket => {ping_interval => 1000, idle_timeout => 3000}});
subtest 'a network that goes silent' => sub {
	$quiet->t->befriend(qw(ann ben));
	$quiet->t->send_text('ben', 'ann', 'before');
	my ($page) = map { $quiet->enter('ann') } 1;
	$page->open_chat('ben')->wait_last('before');
	for my $how ('the browser says so', 'nothing is heard', 'a message is not answered') {
		$quiet->browser->cut(1);
		$page->value(q{void dispatchEvent(new Event('offline'))}) if $how =~ /browser/;
		$page->say_text($how) if $how =~ /message/;
		$page->wait_text('.banner', 'No connection')->wait_text('.mine small', 'Not connected');
		pass "$how: the page says that there is no connection";
		$quiet->browser->cut(0);
		$page->value(q{void dispatchEvent(new Event('online'))});
		$page->wait_online->wait_value(q{document.querySelector('.banner').hidden});
		pass 'and comes back';
	}
	$page->wait_last('a message is not answered')->wait_gone('.message.pending');
	is copies($page, 'a message is not answered'), 1, 'what was sent meanwhile is there, once';
	$page->value(q{void dispatchEvent(new Event('offline'))});
	$quiet->t->send_text('ben', 'ann', 'still here');
	$page->wait_last('still here');
	is $page->value(q{document.querySelector('.mine small').textContent}), 'Connected', 'a browser that is wrong about it disturbs nothing';
};
$quiet->stop;
done_testing;
