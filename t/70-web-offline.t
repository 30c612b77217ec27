# SPDX-License-Identifier: BSD-2-Clause
# The page as an installed one, in a real browser with its service worker: what of it is kept and what never is, that it opens
# and shows what was read while the server is away, catches up when it is back, takes up a newer version, keeps nothing after
# a logout, shows what is pushed, and offers that only where the server does and the user has written something.
use utf8;
use Tidings;
use Tidings::Browser;
use Tidings::Web;
use Tidings::Util qw(slurp spew);
use JSON::PP ();

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;

my $web = Tidings::Web->start(workers => 1);
my $t = $web->t;
my $password = 'correct horse';
for my $user (qw(ann ben cat)) {
	my ($status, undef, $err) = $t->node->ctl({input => "$password\n"}, 'user', 'add', $user, '--nickname', ucfirst $user);
	die $err if $status;
}
$t->befriend(qw(ann ben));
$t->befriend(qw(ann cat));
my $json = JSON::PP->new->allow_nonref;

# Someone who stays logged in, with the worker that the page has.
sub stay {
	my ($user, %o) = @_;
	my $page = $web->visit(worker => 1, %o);
	$page->click("input[name=keep]")->log_in($user, $password);
	$page->wait_online;
	$page->wait_value(q{navigator.serviceWorker.controller !== null});
	return $page;
}
# What the caches hold: the addresses, and all the rest as one text.
my $everything = q{(async () => {
	const addresses = [], texts = [];
	for (const name of await caches.keys()) {
		const cache = await caches.open(name);
		for (const request of await cache.keys())
			(addresses.push(request.url), texts.push(JSON.stringify([...request.headers]), await (await cache.match(request)).text()));
	}
	return [addresses, texts.join('\n')];
})()};
my $copies = q{(async () => {
	const db = await new Promise((resolve) => { const r = indexedDB.open('tidings-web'); r.onsuccess = () => resolve(r.result); });
	const rows = await new Promise((resolve) => { const r = db.transaction('copies').objectStore('copies').getAll(); r.onsuccess = () => resolve(r.result); });
	db.close();
	return rows;
})()};
# Until a message that says so is among those that are kept.
sub copy_has {
	my ($page, $text) = @_;
	return wait_for("a copy of '$text'", sub { grep { ($_->{content} // '') eq $text } map { @{$_->{messages} // []} } @{$page->value($copies)} });
}

subtest 'what makes it installable' => sub {
	my $http = $t->http(undef);
	my $index = $http->get('/')->body;
	like $index, qr/rel="manifest" href="manifest\.webmanifest"/, 'the page names its manifest';
	my $manifest = $http->get('/manifest.webmanifest');
	is $manifest->header('content-type'), 'application/manifest+json', 'which has its type';
	my $m = JSON::PP->new->utf8->decode($manifest->body);
	is_deeply [@$m{qw(start_url scope display)}], ['./', './', 'standalone'], 'wherever the page lies';
	for my $icon (@{$m->{icons}}) {
		my $r = $http->get("/$icon->{src}");
		is $r->header('content-type'), $icon->{type}, $icon->{src};
		next if $icon->{type} ne 'image/png';
		is join('x', unpack 'N2', substr $r->body, 16, 8), $icon->{sizes}, 'is as large as it says';
	}
	like $http->get('/sw.js')->body, qr/\Aself\.PAGE = \{version: "[0-9a-f]{16}", files: \{"\.\/": null, "emoji_data\.js": "[0-9a-f]{64}"/, 'the worker knows the files';
};

my $ann = stay('ann');
subtest 'what is kept' => sub {
	$t->send_text('ben', 'ann', "message $_ of ben") for 1 .. 5;
	$ann->open_chat('ben');
	$ann->wait_last('message 5 of ben');
	copy_has($ann, 'message 5 of ben');
	my @rows = @{$ann->value($copies)};
	my ($row) = grep { ($_->{shown}{peer}{user_id} // '') eq 'ben' } @rows;
	is_deeply [map { $_->{content} } @{$row->{messages}}], [map { "message $_ of ben" } 1 .. 5], 'the messages of the conversation that was read';
	my $account = $ann->value(q{localStorage.getItem('tidings-web:account')});
	my $token = $json->decode($account)->{token};
	ok length $token > 20, '(the token is where logins are kept)';
	my ($addresses, $texts) = @{$ann->value($everything)};
	is_deeply [sort @$addresses], [sort map { $web->address . '/' . s{\A\./\z}{}r } $web->root_files], 'the page is in a cache, and nothing else';
	ok index($texts, 'message 5 of ben') < 0, 'no answer of the API is';
	ok index($texts, $token) < 0, 'and no token';
	ok $json->encode(\@rows) !~ /\Q$token\E|refresh_token/, 'nor is one in the copies';
	is $ann->value(q{caches.keys().then((names) => names.length)}), 1, 'one version';
};

subtest 'the server is away' => sub {
	$t->node->stop;
	$ann->reload;
	$ann->wait_value(q{document.querySelector('.chat[data-user=ben]')});
	$ann->wait_value(q{document.querySelectorAll('.message .text').length === 5});
	is_deeply $ann->texts, [map { "message $_ of ben" } 1 .. 5], 'the page opens and shows what was read';
	is $ann->value(q{document.querySelector('.room-title h2').textContent}), 'Ben', 'with the name of its author';
	$ann->wait_value(q{!document.querySelector('.banner').hidden});
	pass 'and says that there is no connection';
	$ann->say_text('written meanwhile');
	$ann->wait_last('written meanwhile');
	my $other = $web->browser->page($web->address . '/', beside => $ann);
	bless $other, 'Tidings::Web::Page';
	$other->wait_value(q{document.querySelector('.chat[data-user=ben]')});
	pass 'a second tab opens, too';
	$other->close;
	$t->node->start;
	$ann->wait_online;
	wait_for('what was written to arrive', sub { grep { ($_->{content} // '') eq 'written meanwhile' } @{$t->api('ben')->get('/messages/conversations/' . $t->api('ben')->get('/messages/conversations')->json->{items}[0]{id} . '/messages')->json->{items}} });
	pass 'what was written meanwhile is sent when it is back';
	is_deeply [grep { !/failed: (?:Establishing a tunnel|Error in connection)|net::ERR_/ } $ann->own_faults], [], 'nothing but the connections failed';
};

subtest 'what happened while the page was away' => sub {
	my $ben = $t->api('ben');
	my $c = $ben->get('/messages/conversations')->json->{items}[0];
	$ann->wait_last('written meanwhile');
	copy_has($ann, 'written meanwhile');
	$ann->go('about:blank');
	my $history = $ben->get("/messages/conversations/$c->{id}/messages")->json->{items};
	my ($gone) = grep { ($_->{content} // '') eq 'message 4 of ben' } @$history;
	is $ben->put("/messages/$gone->{id}/recall")->status, 200, 'one is recalled';
	$t->send_text('ben', 'ann', "later $_") for 1 .. 120;
	$t->api('cat')->post('/messages/send', text_to('ann', 'from cat'));
	$ann->back;
	$ann->wait_online;
	$ann->wait_value(q{document.querySelector('.chat[data-user=cat]')});
	$ann->wait_value(q{[...document.querySelectorAll('.message .text')].some((e) => /^later/.test(e.textContent))});
	wait_for('the copy to be what the server has', sub { my ($row) = grep { ($_->{shown}{peer}{user_id} // '') eq 'ben' } @{$ann->value($copies)};
		my @texts = map { $_->{content} // '' } @{$row->{messages}};
		return @texts == 100 && $texts[-1] eq 'later 120' && $texts[0] eq 'later 21' });
	pass 'a gap is never shown as if there were none: the copy is replaced';
	unlike $json->encode($ann->value($copies)), qr/message 4 of ben/, 'what was recalled is gone from it';
	my $group = $web->group('Walkers', 'cat', ['ann']);
	$t->say('cat', $group, 'to the walkers');
	$ann->open_group($group)->wait_last('to the walkers');
	copy_has($ann, 'to the walkers');
	$ann->go('about:blank');
	is $t->api('cat')->delete("/groups/$group/members/ann")->status, 204, 'the user is removed from a group';
	$ann->back;
	$ann->wait_online;
	wait_for('its messages to be gone', sub { $json->encode($ann->value($copies)) !~ /to the walkers/ });
	pass 'whose messages are not kept';
	$ann->open_chat('ben');
	is_deeply [$ann->own_faults], [], 'nothing was refused';
};

subtest 'a storage that fails' => sub {
	# Who has read all is shown the end.
	$t->befriend(qw(ben cat));
	my $page = stay('ben');
	$t->send_text('cat', 'ben', 'to be kept');
	$page->open_chat('cat')->wait_last('to be kept');
	copy_has($page, 'to be kept');
	$page->value(q{IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }, 0});
	$t->send_text('cat', 'ben', 'too much');
	$page->wait_last('too much');
	wait_for('the copies to be gone', sub { !@{$page->value($copies)} });
	pass 'what cannot be brought up to date is not kept';
	$page->worker_value(q{caches.open = () => Promise.reject(new DOMException('broken', 'UnknownError')), 0});
	$page->reload;
	$page->wait_online;
	ok $page->worker_value(q{Object.hasOwn(caches, 'open')}), 'without a cache the page comes from the server';
	$page->worker_value(q{delete caches.open});
	is_deeply [$page->own_faults], [], 'nothing was refused';
	$page->click('.mine')->click('.log-out');
	$page->wait_value(q{document.querySelector('input[name=username]')});
	$page->close;
};

subtest 'a newer version' => sub {
	my $before = $ann->value(q{caches.keys().then((names) => names[0])});
	my $css = $web->root . '/page.css';
	spew($css, slurp($css) . "\n.app { --newer: yes; }\n");
	Tidings::Web::write_worker($web->root);
	$ann->value(q{navigator.serviceWorker.getRegistration().then((r) => r.update()).then(() => 1)});
	$ann->wait_text('.offer', 'newer version');
	# The page has another worker before that one has cleaned up.
	$ann->wait_value(qq{caches.keys().then((names) => names.length === 1 && names[0] !== '$before')});
	pass 'the old one is not kept, but the new one';
	$ann->click('.offer button', 'Reload');
	$ann->wait_value(q{getComputedStyle(document.querySelector('.app')).getPropertyValue('--newer').trim() === 'yes'});
	pass 'which a reload shows';
	$ann->wait_online;
	is_deeply [$ann->own_faults], [], 'nothing was refused';
};

subtest 'what is pushed' => sub {
	my $page = stay('cat', permissions => ['notifications']);
	# A browser that is asked for its notifications while it shows one may forget that one.
	$page->worker_value(q{(() => { const act = pushed; self.handled = 0; pushed = (...given) => act(...given).finally(() => handled++); })()});
	my $pushed = 0;
	my $push = sub {
		for (@_) { $page->push_message(ref ? $json->encode($_) : $_); $pushed++ }
		wait_for('it to be handled', sub { $page->worker_value('handled') == $pushed });
	};
	my $shown = q{navigator.serviceWorker.getRegistration().then((r) => r.getNotifications()).then((list) => list.map(({title, body, tag, data}) => [title, body, tag, data.conversation]))};
	$t->send_text('ann', 'cat', 'hello cat');
	my $c = $t->api('cat')->get('/messages/conversations')->json->{items}[0]{id};
	# A page that is looked at tells of messages itself; playwright has every page believe that it is.
	$push->({kind => 'message', title => 'Ann', body => 'seen', badge => 1, conversation_id => $c, message_id => '1'});
	$page->ask(cdp => 'Emulation.setFocusEmulationEnabled', {enabled => JSON::PP::false()});
	my $away = $web->browser->page('about:blank', beside => $page);
	wait_for('the page to be behind another', sub { !grep { $_ } @{$page->worker_value(q{clients.matchAll({type: 'window'}).then((all) => all.map(({focused}) => focused))})} });
	$push->({kind => 'message', title => 'Ann', body => 'hi <b>', badge => 3, conversation_id => $c, message_id => '1'});
	$page->wait_value("$shown.then((list) => list.length === 1)");
	is_deeply $page->value($shown), [['Ann', 'hi <b>', $c, $c]], 'is shown, as it is';
	$push->({kind => 'message', title => 'Ann', body => 'again', badge => 4, conversation_id => $c, message_id => '2'});
	$page->wait_value("$shown.then((list) => list.length === 1 && list[0][1] === 'again')");
	pass 'the next one takes its place';
	$push->({kind => 'friend_request', title => 'Ben asks', body => '', badge => 4, conversation_id => undef, message_id => undef});
	$page->wait_value("$shown.then((list) => list.length === 2)");
	$push->({kind => 'read', badge => 0, conversation_id => $c});
	$page->wait_value("$shown.then((list) => list.length === 1 && list[0][0] === 'Ben asks')");
	pass 'what was read elsewhere goes';
	$push->({kind => 'message', title => 'Ann', body => 'read at once', badge => 1, conversation_id => $c, message_id => '3'}, {kind => 'read', badge => 0, conversation_id => $c});
	is_deeply [map { $_->[0] } @{$page->value($shown)}], ['Ben asks'], 'however soon';
	$push->('no JSON', '[]', 'null', '{"title": {}, "badge": -1, "conversation_id": 7}');
	$page->wait_value("$shown.then((list) => list.some(([title]) => title === 'Tidings'))");
	pass 'whatever is pushed, something is shown';
	$page->worker_value(q{(() => { registration.showNotification = () => { self.hangs = true; return new Promise(() => {}); }; })()});
	$page->push_message($json->encode({kind => 'message', title => 'Ann', body => 'never there', badge => 1, conversation_id => $c, message_id => '4'}));
	wait_for('a push to hang', sub { $page->worker_value('self.hangs === true && delete registration.showNotification') });
	$push->({kind => 'mention', title => 'Ben', body => 'after it', badge => 1, conversation_id => '77', message_id => '5'});
	$page->wait_value("$shown.then((list) => list.some(([, body]) => body === 'after it'))");
	pass 'and one that hangs holds up no other';
	$away->close;
	# Only a person's click allows it to bring the window to the front.
	$page->worker_value("follow({conversation: '$c'}).catch(() => {})");
	$page->wait_value(q{document.querySelector('.chat[aria-current]')?.dataset.user === 'ann'});
	pass 'a page that is open goes to the conversation of a notification that was followed';
	$page->value(q{location.hash = '#/'});
	$page->wait_value(q{!document.querySelector('.chat[aria-current]')});
	my $other = $web->visit(worker => 1, beside => $page, hash => '#token=' . $t->token('ben'));
	$other->click('.ask .primary')->wait_text('.mine .name', 'Ben');
	$push->({kind => 'message', title => 'Ann', body => 'not of Ben', badge => 1, conversation_id => $c, message_id => '3'});
	$page->wait_value("$shown.then((list) => list.some(([, body]) => body === 'not of Ben'))");
	pass 'a tab of another user tells of nothing, though it is looked at';
	$page->worker_value("follow({conversation: '$c'}).catch(() => {})");
	$page->wait_value(q{document.querySelector('.chat[aria-current]')?.dataset.user === 'ann'});
	is $other->value(q{document.querySelector('.notes').textContent}), '', 'nor is it led anywhere';
	$other->close;
	$page->value(q{location.hash = '#/'});
	$page->wait_value(q{!document.querySelector('.chat[aria-current]')});
	$page->value(qq{location.hash = '#open=$c'});
	$page->wait_value(q{document.querySelector('.chat[aria-current]')?.dataset.user === 'ann'});
	pass 'and so does the address at which a new one is opened';
	$page->value(q{location.hash = '#open=1%2f..'});
	$page->wait_value(q{location.hash === '' && !document.querySelector('.chat[aria-current]')});
	pass 'what is no id leads nowhere';
	is_deeply [$page->own_faults], [], 'nothing was refused';
};

# A browser whose push service answers, and a server that knows of devices, as the contract has both.
my $pretend = q{
	window.asked = [];
	const real = window.fetch;
	window.fetch = async (url, options = {}) => {
		const {pathname} = new URL(url, location.href);
		if (!pathname.startsWith('/devices'))
			return real(url, options);
		asked.push([options.method ?? 'GET', pathname, options.body ?? '']);
		return pathname === '/devices/vapid' ? new Response(JSON.stringify({public_key: 'BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8'}), {headers: {'Content-Type': 'application/json'}}) :
			new Response(null, {status: 204});
	};
	let subscription = null;
	PushManager.prototype.getSubscription = async () => subscription;
	PushManager.prototype.subscribe = async ({applicationServerKey}) => {
		await window.held;
		subscription = {options: {applicationServerKey: applicationServerKey.buffer}, unsubscribe: async () => { subscription = null; window.unsubscribed = true; return true; },
			toJSON: () => ({endpoint: 'https://push.example.org/x', expirationTime: null, keys: {p256dh: 'BP4z', auth: 'xyz'}})};
		return subscription;
	};
};

subtest 'being told while no page is open' => sub {
	$t->send_text('ann', 'ben', 'hello ben');
	my $page = stay('ben', permissions => ['notifications']);
	$page->open_chat('ann')->say_text('no offer');
	$page->wait_last('no offer');
	wait_for('the server to be asked', sub { $page->value(q{performance.getEntriesByName(location.origin + '/devices/vapid').length > 0}) });
	my $offers = $t->http('ben')->get('/devices/vapid')->status == 200;
	ok $offers || $page->value(q{document.querySelector('.offer').hidden}), 'where the server has no key, nothing is offered';
	$page->close;

	$page = stay('ben', permissions => ['notifications'], before => $pretend);
	$page->wait_value(q{document.querySelector('.offer')});
	ok $page->value(q{document.querySelector('.offer').hidden}), 'nothing is offered when the page is opened';
	$page->open_chat('ann');
	ok $page->value(q{document.querySelector('.offer').hidden}), 'nor when one reads';
	$page->say_text('an answer is wanted');
	$page->wait_text('.offer', 'while this page is closed');
	pass 'but when one has written';
	$page->click('.offer button', 'Turn on');
	$page->wait_value(q{asked.some(([method]) => method === 'PUT')});
	my ($put) = grep { $_->[0] eq 'PUT' } @{$page->value('asked')};
	like $put->[1], qr{\A/devices/[0-9a-f]{24}\z}, 'the server learns of the device';
	is_deeply $json->decode($put->[2]), {platform => 'webpush', subscription => {endpoint => 'https://push.example.org/x', keys => {p256dh => 'BP4z', auth => 'xyz'}}, app => 'tidings-web', locale => 'en'}, 'and of its subscription';
	$web->browser->cut(1);
	$t->send_text('ann', 'ben', 'meanwhile');
	$web->browser->cut(0);
	$page->wait_last('meanwhile'); # the page has come back; what it tells then would be counted below
	$page->click('.mine');
	$page->wait_value(q{document.querySelector('input[name=push]').checked && !document.querySelector('input[name=push]').closest('label').hidden});
	$page->click('input[name=push]');
	$page->wait_value(q{asked.some(([method]) => method === 'DELETE')});
	ok $page->value('window.unsubscribed'), 'turned off in the settings, it is given up';
	$page->click('input[name=push]');
	$page->wait_value(q{asked.filter(([method]) => method === 'PUT').length === 2});
	pass 'and on again';
	$page->click('input[name=push]');
	$page->wait_value(q{asked.filter(([method]) => method === 'DELETE').length === 2});
	$page->value(q{(() => { window.unsubscribed = false; window.held = new Promise((resolve) => { window.let_go = resolve; }); })()});
	$page->click('input[name=push]')->click('.log-out');
	$page->wait_value(q{document.querySelector('input[name=username]')});
	my $left = q{Object.keys(localStorage).filter((key) => /push|device/.test(key)).length};
	$page->wait_value("$left === 0");
	$page->value('let_go()');
	$page->wait_value('window.unsubscribed');
	is $page->value($left), 0, 'a logout ends it, also while it is turned on';
};

subtest 'another user in the place of one who is told' => sub {
	my $page = stay('ben', permissions => ['notifications']);
	$page->value(q{localStorage.setItem('tidings-web:device', 'one of ben')});
	my $subscribed = $pretend . q{subscription = {unsubscribe: async () => { window.unsubscribed = true; return true; }};};
	my $tab = $web->visit(worker => 1, beside => $page, before => $subscribed, hash => '#token=' . $t->token('cat'));
	$tab->click('.ask .primary')->wait_text('.mine .name', 'Cat');
	$tab->click('.mine')->click('.log-out');
	$tab->wait_value(q{document.querySelector('input[name=username]')});
	$page->close; # so that the other tab alone can do it
	$tab->click('input[name=keep]')->log_in('cat', $password);
	$tab->wait_text('.ask', 'ben stays logged in')->click('.ask .danger')->wait_text('.mine .name', 'Cat');
	$tab->wait_value(q{window.unsubscribed && localStorage.getItem('tidings-web:device') === null});
	pass 'what is pushed to the one before is not shown to the next';
	$tab->close;
};

subtest 'a logout' => sub {
	copy_has($ann, 'later 120');
	$ann->click('.mine')->click('.log-out');
	$ann->wait_value(q{document.querySelector('input[name=username]')});
	wait_for('the copies to be gone', sub { !@{$ann->value($copies)} });
	pass 'leaves no message behind';
	$t->node->stop;
	$ann->reload;
	$ann->wait_value(q{document.querySelector('input[name=username]')});
	is $ann->value(q{document.querySelectorAll('.chat').length}), 0, 'also while the server is away';
	$t->node->start;
};

$web->stop;
done_testing;
