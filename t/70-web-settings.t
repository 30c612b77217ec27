# SPDX-License-Identifier: BSD-2-Clause
# Proves what one sets of conversations on the chat page: pinning, muting, the archive, marking as unread, clearing the
# history; from the list and from the room, with keys, and on the user's other devices at once. And drafts, which follow
# to other devices, unless they are being written on.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat dan));
my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
$t->send_text($_, 'ann', "hello from $_") for qw(ben cat dan);

# What the browser would show outside the page.
my $alerts = q{window.alerts = []; window.looks = false; Document.prototype.hasFocus = () => window.looks;
	localStorage.setItem('tidings-web:alerts', 'yes');
	window.Notification = class { static permission = 'granted'; constructor(title, {body}) { alerts.push(`${title}: ${body}`); } close() {} };};
my ($ann, $ann2) = ($web->enter('ann', before => $alerts), $web->enter('ann'));
my %id = map { ($_->{peer}{user_id} // 'group') => $_->{id} } @{$t->api('ann')->get('/messages/conversations')->json->{items}};
sub settings { my ($who) = @_; return $t->api('ann')->get("/messages/conversations/$id{$who}")->json->{settings} }
sub rows { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.chat')].map((e) => e.dataset.user ?? 'group')}) }
sub wait_rows { my ($page, @rows) = @_; my $r = JSON::PP->new->encode(\@rows); $page->wait_value(qq{JSON.stringify([...document.querySelectorAll('.chat')].map((e) => e.dataset.user ?? 'group')) === '$r'}); return $page }
sub row { my ($who) = @_; return $who eq 'group' ? qq{.chat[data-group="$id{group}"]} : ".chat[data-user=$who]" }
sub menu { my ($page, $who, $item) = @_; return $page->hover(row($who))->click('li:has(' . row($who) . ') .more')->click('[role=menuitem]', $item) }
my $field = q{document.querySelector('#compose')};
sub text_is { my ($page, $text) = @_; return $page->wait_composer($text) }

subtest 'pinned on top' => sub {
	wait_rows($_, qw(dan cat ben group)) for $ann, $ann2;
	menu($ann, 'ben', 'Pin on top');
	wait_rows($_, qw(ben dan cat group)) for $ann, $ann2;
	is $ann2->value(sprintf q{document.querySelector('%s .sign').getAttribute('aria-label')}, row('ben')), 'pinned', 'on the other device too, with a sign';
	$ann->value(sprintf q{document.querySelector('%s').focus(); 0}, row('group'));
	$ann->key('Shift+F10')->wait_value(q{document.activeElement.matches('[role=menuitem]')});
	$ann->key('Enter');
	wait_rows($ann, qw(ben group dan cat));
	pass 'by the keyboard';
	wait_for('the focus to be in the list', sub { $ann->value(q{document.activeElement.matches('.chat[data-group]')}) });
	$t->send_text('cat', 'ann', 'I am later');
	wait_rows($ann, qw(ben group cat dan));
	$ann2->open_group($id{group})->choose('.room-header', 'Unpin');
	wait_rows($_, qw(ben cat dan group)) for $ann, $ann2;
	pass 'from the room';
	menu($ann, 'ben', 'Unpin');
	wait_rows($ann, qw(cat dan ben group));
};

subtest 'muted' => sub {
	menu($ann, 'cat', 'Mute')->wait_value(q{document.querySelector('dialog')});
	is_deeply $ann->value(q{[...document.querySelectorAll('dialog .choice')].map((e) => e.textContent)}), ['1 hour', '8 hours', '7 days', 'Until I unmute it'], 'for how long';
	is $ann->count('dialog input[type=checkbox]'), 0, 'between two there are no mentions';
	$ann->key('ArrowDown', 'ArrowDown')->key('Enter');
	$ann2->wait_value(sprintf q{document.querySelector('%s .sign')?.getAttribute('aria-label').startsWith('muted until ')}, row('cat'));
	my $days = $ann->value(sprintf q{(Date.parse('%s') - Date.now()) / 86400000}, settings('cat')->{muted_until});
	ok abs($days - 7) < 0.01, 'for a week';
	$ann->value('alerts.length = 0');
	$t->send_text('cat', 'ann', 'quiet');
	$t->send_text('dan', 'ann', 'loud');
	$ann->wait_value(q{alerts.length > 0});
	is_deeply $ann->value('alerts'), ['Dan: loud'], 'muted, there is no notification';
	$ann->wait_text(row('cat') . ' .quiet-badge', '3');
	pass 'but it counts';
	$ann2->open_chat('cat')->wait_value(q{document.querySelector('.room-title .sign')?.title.startsWith('muted until ')});
	$ann2->choose('.room-header', 'Unmute')->wait_gone('.room-title .sign');
	$ann->wait_gone(row('cat') . ' .sign');
	menu($ann, 'group', 'Mute')->wait_value(q{document.querySelector('dialog')});
	$ann->click('dialog .choice', 'Until I')->click('dialog .primary')->wait_value(sprintf q{document.querySelector('%s .sign')?.title === 'muted'}, row('group'));
	$web->say_in('ben', $id{group}, 'for nobody');
	$web->say_in('ben', $id{group}, 'for you', mentions => ['ann']);
	$ann->wait_value(q{alerts.length > 1});
	is $ann->value('alerts.at(-1)'), 'Ben · Walkers: for you', 'a mention passes';
	menu($ann, 'group', 'Unmute')->wait_gone(row('group') . ' .sign');
	menu($ann, 'group', 'Mute')->wait_value(q{document.querySelector('dialog')});
	$ann->click('dialog input[type=checkbox]')->click('dialog .primary')->wait_value(sprintf q{document.querySelector('%s .sign')}, row('group'));
	$web->say_in('ben', $id{group}, 'for you again', mentions => ['ann']);
	$t->send_text('dan', 'ann', 'after it');
	$ann->wait_value(q{alerts.at(-1) === 'Dan: after it'});
	is $ann->value('alerts.length'), 3, 'unless the user does not want that either';
	menu($ann, 'group', 'Unmute')->wait_gone(row('group') . ' .sign');
	$ann->value('window.looks = true; 0');
};

subtest 'the archive' => sub {
	is $ann->value(q{document.querySelector('.archive').checkVisibility()}), JSON::PP::false, 'empty, it is not there';
	menu($ann, 'dan', 'Archive')->wait_text('.note', 'Dan is in the archive until somebody writes.');
	wait_rows($_, qw(group cat ben)) for $ann, $ann2;
	$ann->wait_value(q{document.querySelector('.archive .badge')?.getAttribute('aria-label') === '1 unread'});
	$ann->click('.archive')->wait_value(q{document.activeElement.getAttribute('aria-label') === 'Back to all chats'});
	wait_rows($ann, 'dan');
	$ann->open_chat('dan')->wait_last('after it')->wait_value(q{document.querySelector('.archive-head').checkVisibility()});
	pass 'its own list, from which one can read';
	$ann->click('.archive-head button');
	wait_rows($ann, qw(group cat ben));
	$ann->type('.filter', 'da');
	wait_rows($ann, 'dan');
	is $ann->value(sprintf q{document.querySelector('%s small').textContent}, row('dan')), 'Archived', 'a search finds it, and says where it is';
	$ann->fill('.filter', '');
	$ann->say_text('my own')->wait_last('my own');
	wait_for('it to be stored', sub { grep { ($_->{content} // '') eq 'my own' } @{$t->api('ann')->get("/messages/conversations/$id{dan}/messages")->json->{items}} });
	ok settings('dan')->{archived}, 'one\'s own message does not end it';
	wait_rows($ann2, qw(group cat ben));
	$t->send_text('dan', 'ann', 'an answer');
	wait_rows($_, qw(dan group cat ben)) for $ann, $ann2;
	pass 'somebody else\'s message brings it back';
	menu($ann, 'dan', 'Archive');
	wait_rows($ann, qw(group cat ben));
	$ann->wait_value(q{location.hash === '#/'});
	pass 'what was open is closed';
	$ann->click('.archive');
	menu($ann, 'dan', 'Take out')->wait_text('.chats .empty', 'Nothing is archived.');
	$ann->click('.archive-head button');
	wait_rows($_, qw(dan group cat ben)) for $ann, $ann2;
};

subtest 'marked as unread' => sub {
	$ann->open_chat('ben')->wait_last('hello from ben');
	wait_for('it to be read', sub { $t->api('ann')->get("/messages/conversations/$id{ben}")->json->{unread_count} == 0 });
	$ann->choose('.room-header', 'Mark as unread')->wait_value(q{location.hash === '#/'});
	$_->wait_value(sprintf q{document.querySelector('%s .badge.mark')?.getAttribute('aria-label') === 'marked as unread'}, row('ben')) for $ann, $ann2;
	pass 'a dot, on the other device too';
	$ann2->open_chat('ben')->wait_gone(row('ben') . ' .mark');
	$ann->wait_gone(row('ben') . ' .mark');
	is settings('ben')->{marked_unread}, JSON::PP::false, 'who opens it has read it';
	menu($ann, 'ben', 'Mark as unread')->wait_value(sprintf q{document.querySelector('%s .mark')}, row('ben'));
	menu($ann, 'ben', 'Mark as read')->wait_gone(row('ben') . ' .mark');
	$ann2->wait_gone(row('ben') . ' .mark');
	$t->send_text('cat', 'ann', "more $_") for 1 .. 2;
	$ann->wait_text(row('cat') . ' .badge', '2');
	menu($ann, 'cat', 'Mark as read')->wait_gone(row('cat') . ' .badge');
	wait_for('the server to know', sub { $t->api('ann')->get("/messages/conversations/$id{cat}")->json->{unread_count} == 0 });
	pass 'and what is unread is read, without being opened';
};

subtest 'drafts' => sub {
	$ann2->value(q{location.hash = '#/'; 0});
	$ann->open_chat('cat')->insert('Dear Cat');
	wait_for('the draft to be stored', sub { (settings('cat')->{draft} // '') eq 'Dear Cat' });
	$ann2->wait_text(row('cat') . ' .preview', 'Draft: Dear Cat');
	pass 'after a pause the other device shows it';
	text_is($ann2->open_chat('cat'), 'Dear Cat');
	$ann2->insert(', hello')->open_chat('ben');
	wait_for('it to be stored at once', sub { (settings('cat')->{draft} // '') eq 'Dear Cat, hello' });
	$ann->value(q{window.clock = Date.now; Date.now = () => clock.call(Date) + 20000; 0});
	$ann2->open_chat('cat')->insert('!')->open_chat('ben');
	text_is($ann, 'Dear Cat, hello!');
	pass 'where nobody writes any more, the other device\'s is there';
	$ann->value(q{(() => { const at = Date.now(); Date.now = () => at; return 0; })()}); # it does not become long ago
	$ann->insert(' I');
	wait_for('mine', sub { (settings('cat')->{draft} // '') eq 'Dear Cat, hello! I' });
	$t->api('ann')->put("/messages/conversations/$id{cat}/settings", {draft => 'from elsewhere'});
	$ann2->wait_text(row('cat') . ' .preview', 'Draft: from elsewhere');
	is $ann->value("$field.value"), 'Dear Cat, hello! I', 'what is being written stays';
	$ann->value(q{Date.now = () => clock.call(Date) + 20000; 0});
	$ann->insert(' am')->key('Enter')->wait_last('Dear Cat, hello! I am');
	wait_for('the draft to be gone', sub { !defined settings('cat')->{draft} });
	$ann2->wait_value(sprintf q{!document.querySelector('%s .preview').textContent.startsWith('Draft')}, row('cat'));
	text_is($ann2->open_chat('cat'), '');
	pass 'sent, it is gone everywhere';
	text_is($ann, '');
	$web->browser->cut(1);
	$ann->wait_value(q{!document.querySelector('.mine .dot.online')});
	$ann->insert('without a connection')->open_chat('ben');
	$web->browser->cut(0);
	$ann->wait_online;
	wait_for('it to be stored', sub { (settings('cat')->{draft} // '') eq 'without a connection' });
	$ann->open_chat('cat')->reload->wait_online;
	text_is($ann, 'without a connection');
	$t->api('ann')->put("/messages/conversations/$id{cat}/settings", {draft => undef});
	text_is($ann, '');
	pass 'taken away elsewhere, it is gone here';
};

subtest 'clearing the history' => sub {
	$ann->open_chat('dan')->wait_last('an answer')->choose('.room-header', 'Clear history')->wait_text('.ask', 'All messages so far are gone for you');
	$ann->click('.ask .quiet')->wait_gone('.ask');
	cmp_ok $ann->count('.message'), '>', 2, 'who thinks again keeps it';
	$ann->choose('.room-header', 'Clear history')->agree;
	wait_rows($ann, qw(cat group ben));
	$ann2->reload->wait_online;
	wait_rows($ann2, qw(cat group ben));
	is scalar @{$t->api('ann')->get("/messages/conversations/$id{dan}/messages")->json->{items}}, 0, 'nothing is left';
	cmp_ok scalar @{$t->api('dan')->get("/messages/conversations/$id{dan}/messages")->json->{items}}, '>', 2, 'the other side keeps it';
	$t->send_text('dan', 'ann', 'from anew');
	wait_rows($_, qw(dan cat group ben)) for $ann, $ann2;
	$ann->open_chat('dan')->wait_last('from anew');
	is_deeply $ann->texts, ['from anew'], 'it begins with the next message';
	$ann->wait_value(q{document.querySelector('.row.top').textContent === 'The messages that you can see begin here.'});
	pass 'and does not say that it is the beginning of all';
};

subtest 'a draft that is sent while the server is told of it' => sub {
	my $page = $web->enter('ann', before => q{{
		const real = fetch;
		window.held = [];
		window.fetch = async (url, options) => {
			const response = await real(url, options);
			if (options?.method === 'PUT' && /settings$/.test(new URL(url).pathname) && /draft/.test(options.body))
				await new Promise((go) => held.push(go));
			return response;
		};
	}});
	$page->open_chat('cat')->insert('no sooner said')->wait_value('held.length === 1');
	$page->key('Enter')->wait_stored('no sooner said');
	$page->value('held[0](), 0');
	$page->wait_value('held.length === 2');
	is $page->value("$field.value"), '', 'does not come back with the answer';
	$page->value('held[1](), 0');
	wait_for('the draft to be gone', sub { !defined settings('cat')->{draft} });
	is_deeply [$page->own_faults], [], 'no fault';
	$page->close;
};

subtest 'on a phone, in Chinese' => sub {
	my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->open_chat('ben')->click('.room-header .more')->wait_text('[role=menuitem]', '消息免打扰');
	ok $phone->value(q{(() => { const r = document.querySelector('.menu').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.bottom <= innerHeight })()}), 'the menu fits';
	$phone->click('[role=menuitem]', '置顶');
	wait_for('it to be pinned', sub { defined settings('ben')->{pinned_at} });
	$phone->click('.room-header .back')->wait_value(q{document.querySelector('.chat').dataset.user === 'ben'});
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [grep { !/\AWebSocket connection to .* failed|net::ERR_/ } map { $_->own_faults } $ann, $ann2], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
