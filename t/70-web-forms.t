# SPDX-License-Identifier: BSD-2-Clause
# Proves the shapes of the chat page: on a phone, by the keyboard alone, for a screen reader, in the dark.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->http(undef)->post('/users/register', {user_id => 'ann', password => 'correct horse', nickname => 'Ann'});
$t->befriend(qw(ann ben));
$t->send_text('ben', 'ann', "hello $_") for 1 .. 3;
$t->http('cat')->post('/friends/requests', {user_id => 'ann'});

my $visible = sub { my ($page, $selector) = @_; return $page->value("document.querySelector('$selector')?.checkVisibility() ?? false") };
# Whatever cannot be operated without knowing what it is.
sub nameless { my ($page) = @_; return [map { $_->[0] } grep { $_->[1] =~ /^\s*$/ } $page->accessible] }

subtest 'on a phone' => sub {
	my $phone = $web->enter('ann', width => 390, height => 844, mobile => 1);
	$phone->wait_text('.chat .preview', 'hello 3');
	ok !$visible->($phone, '.main'), 'the list alone';
	$phone->click('.chat[data-user=ben]')->wait_last('hello 3');
	ok !$visible->($phone, '.side'), 'then the conversation alone';
	is $phone->value('document.documentElement.scrollWidth'), 390, 'nothing sticks out';
	$phone->type('#compose', "two\nlines");
	is $phone->value(q{document.querySelector('#compose').value}), "two\nlines", 'Enter is a new line here';
	$phone->click('.send')->wait_last("two\nlines")->wait_value(q{document.querySelector('.message.own .ticks.sent')});
	$phone->press('.message.own .bubble')->wait_value(q{document.querySelector('.pressed')});
	$phone->release->click('[role=menuitem]', 'Recall')->wait_text('.message.own .text', 'recalled');
	pass 'a long press opens the menu';
	$phone->click('.room-header .back');
	$phone->wait_value(q{document.querySelector('.side').checkVisibility() && !document.querySelector('.main').checkVisibility()});
	$phone->value('history.back()');
	$phone->wait_value(q{document.querySelector('.main').checkVisibility()});
	pass 'and so does the way back of the phone';
	is_deeply [$phone->take_faults], [], 'no fault in the console';
};

subtest 'by the keyboard alone' => sub {
	my $page = $web->visit;
	$page->wait_value(q{document.activeElement.name === 'username'});
	$page->insert('ann')->key('Tab')->insert('correct horse')->key('Enter')->wait_online;
	$page->wait_text('.chat', 'Ben');
	my $tab_to = sub {
		my ($what, $key) = @_;
		for (1 .. 30) {
			return 1 if $page->value($what);
			$page->key($key // 'Tab');
		}
		return 0;
	};
	ok $tab_to->(q{document.activeElement.id === 'tab-chats'}), 'to the tabs';
	$page->key('ArrowRight')->wait_value(q{document.activeElement.id === 'tab-friends'});
	$page->wait_text('[data-section=requests] .person', 'Decline'); # it comes after the conversations
	ok $tab_to->(q{document.activeElement.textContent === 'Decline'}), 'to the request';
	$page->key('Enter')->wait_value(q{!document.querySelector('[data-section=requests]').checkVisibility()});
	$page->value(q{document.getElementById('tab-friends').focus()});
	$page->key('ArrowLeft');
	ok $tab_to->(q{document.activeElement.dataset.user === 'ben'}), 'to a conversation';
	$page->key('Enter')->wait_value(q{document.activeElement.id === 'compose'});
	$page->insert('typed')->key('Enter')->wait_last('typed');
	ok $tab_to->(q{document.activeElement.classList.contains('timeline')}, 'Shift+Tab'), 'to the messages';
	$page->key('ArrowUp')->wait_value(q{document.activeElement.matches('.message.own')});
	$page->key('ArrowUp', 'ArrowUp', 'ArrowDown', 'ArrowUp');
	like $page->value(q{document.activeElement.textContent}), qr/hello 3/, 'from message to message';
	$page->key('Enter')->wait_value(q{document.activeElement.role === 'menuitem'});
	$page->key('ArrowDown', 'ArrowUp', 'Enter')->wait_text('.reply-bar', 'hello 3');
	$page->wait_value(q{document.activeElement.id === 'compose'});
	$page->insert('a reply')->key('Enter')->wait_stored('a reply'); # only then it can be recalled
	$page->wait_text('.message.own .quote', 'hello 3');
	pass 'its menu, and a reply to it';
	$tab_to->(q{document.activeElement.classList.contains('timeline')}, 'Shift+Tab');
	$page->key('End', 'ArrowUp', 'ArrowDown', 'Enter')->wait_text('[role=menuitem]', 'Recall');
	$page->key('Escape')->wait_gone('[role=menu]');
	like $page->value(q{document.activeElement.textContent}), qr/a reply/, 'Escape closes the menu and comes back to the message';
	is_deeply [$page->take_faults], [], 'no fault in the console';
};

subtest 'for a screen reader' => sub {
	my $page = $web->visit;
	$page->wait_text('h1', 'Tidings');
	is_deeply nameless($page), [], 'logging in: everything has a name';
	$page->click('.modes button:nth-child(2)');
	is_deeply nameless($page), [], 'registering too';
	$page->close;
	$page = $web->enter('ann');
	my $at = $web->address;
	$t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => $_, media_url => "$at/icon.svg"}) for qw(image voice video file);
	$page->open_chat('ben')->wait_value(q{document.querySelector('.media-file')});
	is_deeply nameless($page), [], 'a conversation';
	$page->click('.side-header .icon-button')->wait_value(q{document.querySelector('.panel').checkVisibility()});
	is_deeply nameless($page), [], 'the notifications';
	$page->key('Escape')->click('.mine')->wait_text('.dialog', 'Settings');
	is_deeply nameless($page), [], 'the settings';
	$page->key('Escape')->click('.compose-row .icon-button')->wait_text('[role=menuitem]', 'Photos and videos');
	is_deeply nameless($page), [], 'sending a picture';
	$page->key('Escape')->click('#tab-friends')->fill('.people [role=search] input', "cat\n")->wait_text('.found', 'no user');
	$page->wait_text('[data-section=friends] [data-user=ben]', 'offline');
	is_deeply nameless($page), [], 'the friends';
	my %named = map { $_->[1] => 1 } $page->accessible;
	ok $named{$_}, "there is “$_”" for 'Send', 'Write a message to Ben', 'Message Ben, offline', 'Message actions';
	is $page->value(q{document.querySelector('.message.other').getAttribute('aria-label')}) =~ s/\s\d.*//r, 'Ben,', 'a message says whose it is, and when';
	is_deeply [$page->own_faults], [], 'no fault in the console';
};

subtest 'light and dark' => sub {
	my $page = $web->enter('ann');
	$page->open_chat('ben');
	# The least contrast of a text with what is behind it, by WCAG 2.
	my $contrast = q{(() => {
		const rgb = (text) => { const c = document.createElement('canvas').getContext('2d', {willReadFrequently: true}); c.fillStyle = text; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
		const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
		const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
		return [...document.querySelectorAll('.name, .preview, .chat time, .text, .foot, .room-status, .tabs button, .separator span, .row.top, .badge, h2')]
			.filter((e) => e.checkVisibility() && e.textContent.trim() !== '').map((e) => { const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
				return [(a + 0.05) / (b + 0.05), e.className || e.tagName]; }).sort((x, y) => x[0] - y[0])[0]; })()};
	my %back;
	for my $theme (qw(light dark)) {
		$page->theme($theme);
		$back{$theme} = $page->value('getComputedStyle(document.body).backgroundColor');
		my $least = $page->value($contrast);
		cmp_ok $least->[0], '>=', 4.5, "$theme: every text can be read ($least->[1])";
	}
	isnt $back{light}, $back{dark}, 'the page follows the system';
	$page->click('.mine')->select('.dialog select >> nth=1', 'light');
	is $page->value('getComputedStyle(document.body).backgroundColor'), $back{light}, 'or what the user chooses';
};

$web->stop;
done_testing;
