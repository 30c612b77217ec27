# SPDX-License-Identifier: BSD-2-Clause
# Proves how the chat page shows what people write: text from right to left, names and file names that would deceive,
# names that are refused, links that end where they should, letters that are not cut, pictures of strangers that are not
# loaded, and the day, which ends at midnight.
use utf8;
use Tidings;
use Tidings::Web;
use Tidings::Util qw(spew);

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben noa zed));
sub set_name { my ($user, $name, $picture) = @_; $t->dbh->do('UPDATE users SET nickname = ?, avatar_url = ? WHERE id = ?', undef, $name, $picture, $user); return }

subtest 'from right to left' => sub {
	set_name('noa', 'נועה');
	$t->send_text('noa', 'ann', 'שלום לך! see https://example.org/x?');
	$t->send_text('ann', 'noa', 'plain');
	my $ann = $web->enter('ann');
	$ann->open_chat('noa')->wait_last('plain');
	is_deeply $ann->value(q{(() => { const [a, b] = document.querySelectorAll('.message .text'); return [a.dir, getComputedStyle(a).direction, getComputedStyle(a.closest('.bubble')).direction, getComputedStyle(b).direction]; })()}),
		[qw(auto rtl rtl ltr)], 'a message runs the way of its letters';
	is $ann->value(q{document.querySelector('#compose').dir}), 'auto', 'and so does what is typed';
	is $ann->value(q{document.querySelector('.row.top').textContent}), "This is the beginning of your conversation with \x{2068}נועה\x{2069}.", 'also within a sentence';
	is_deeply [$ann->take_faults], [], 'no fault in the console';
	$ann->close;
};

# Whether each element shows the beginning of its text: in a page that is so narrow that there is no room for the rest.
sub beginnings {
	my ($page, @selectors) = @_;
	my $list = JSON::PP->new->encode(\@selectors);
	return $page->value(<<"END");
		$list.map((selector) => {
			const node = [...document.querySelectorAll(selector)].find((e) => e.checkVisibility()), box = node.getBoundingClientRect();
			const letter = document.createRange();
			letter.setStart(node.lastChild, 0);
			letter.setEnd(node.lastChild, 1);
			const {left, right} = letter.getBoundingClientRect();
			return [selector, node.scrollWidth > node.clientWidth ? 'cut' : 'whole', left >= box.left - 1 && right <= box.right + 1 ? 'its beginning is seen' : [left, right, box.left, box.right].join()];
		})
END
}

subtest 'a line that has no room' => sub {
	my $name = 'אבגדהוזחטיכלמנסעפצקרשת' x 2, my $text = 'שלום לך ומה שלומך היום ' x 9;
	set_name($_, $name) for qw(noa ann);
	my ($first) = $t->send_text('noa', 'ann', $text);
	$t->send_text('ann', 'noa', $text);
	$t->api('ann')->post('/messages/send', {to_user_id => 'noa', message_type => 'text', content => $text, reply_to => $first->{id}});
	my $ann = $web->enter('ann', width => 760, height => 600);
	my $check = sub {
		my ($what, @selectors) = @_;
		is_deeply beginnings($ann, @selectors), [map { [$_, 'cut', 'its beginning is seen'] } @selectors], $what;
	};
	$ann->wait_text('.chat[data-user=noa] .preview', 'You: ')->wait_text('.mine .name', $name)->wait_text('.chat[data-user=noa] .name', $name);
	$check->('in the list', '.mine .name', '.chat[data-user=noa] .name', '.chat[data-user=noa] .preview .cut-off');
	$ann->open_chat('noa')->wait_count('.message button.quote', 1)->choose('.message.own:last-child', 'Reply');
	$ann->resize(420, 600);
	$check->('in the room', '.room-title h2', '.quote .cut-off', '.reply-bar .cut-off');
	$ann->type('#compose', $text)->click('.back')->wait_text('.chat[data-user=noa] .preview', 'Draft: ');
	$check->('a draft', '.chat[data-user=noa] .preview .cut-off');
	$ann->click('#tab-friends');
	$check->('a friend', '[data-section=friends] [data-user=noa] .name');
	is $ann->value(q{(({left}) => [...document.querySelectorAll('[data-section=friends] .name')].every((e) => e.getBoundingClientRect().left === left))(document.querySelector('[data-section=friends] .name').getBoundingClientRect())}), JSON::PP::true, 'all names start at the same edge';
	$ann->fill('.people [role=search] input', "noa\n")->wait_text('.found .name', $name);
	$check->('who was found', '.found .name');
	$t->api('ann')->put('/users/noa/block');
	$ann->reload->wait_online->click('.mine')->wait_text('.blocked .name', $name);
	$check->('who is blocked', '.blocked .name');
	$ann->value('localStorage.clear()');
	$t->api('ann')->delete('/users/noa/block');
	$ann->close;
	set_name('ann', 'Ann');
};

subtest 'a long name without a space' => sub {
	my $long = 'W' x 64;
	set_name('zed', $long);
	my $ann = $web->enter('ann', width => 360, height => 640, mobile => 1);
	my $fits = sub {
		my ($what, $selector) = @_;
		is_deeply $ann->value("[...document.querySelectorAll('$selector')].filter((e) => e.checkVisibility()).map((e) => [e.scrollWidth <= e.clientWidth, e.getBoundingClientRect().right <= innerWidth])"), [[JSON::PP::true, JSON::PP::true]], $what;
	};
	$ann->click('#tab-friends')->click('[data-section=friends] [data-user=zed] a')->wait_text('.row.top', $long);
	$fits->('the beginning of a conversation', '.row.top');
	$t->send_text('zed', 'ann', 'hello');
	$ann->wait_last('hello');
	$ann->press('.message .bubble')->wait_value(q{document.querySelector('.pressed')});
	$ann->release->click('[role=menuitem]', 'Reply')->wait_text('.reply-bar', 'Reply to');
	$fits->('whom one replies to', '.reply-bar p');
	$t->api('ann')->put('/users/zed/block');
	$ann->reload->wait_online->wait_text('.room-notice', 'You have blocked');
	$fits->('why one cannot write', '.room-notice');
	$ann->click('.back')->click('#tab-friends')->fill('.people [role=search] input', 'x' x 64 . "\n")->wait_text('.found', 'There is no user');
	$fits->('whom nobody knows', '.found > p');
	$ann->click('.mine')->wait_text('.dialog h3', 'Blocked users');
	my ($title, $heading) = @{$ann->value(q{['h2', 'h3'].map((h) => parseFloat(getComputedStyle(document.querySelector(`.dialog ${h}`)).fontSize))})};
	cmp_ok $heading, '<', $title, 'a heading is smaller than the title above it';
	$ann->close;
};

subtest 'names that deceive' => sub {
	set_name('ben', "Ben\x{202e}nnA\x{200b}");
	$t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'file', media_url => 'https://files.example/x', extra => {file_name => "photo_\x{202e}gpj.exe"}});
	$t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'file', media_url => "https://files.example/photo_%E2%80%AEgpj.exe"});
	$t->send_text('ben', 'ann', "look \x{202e}at this");
	my $ann = $web->enter('ann');
	$ann->open_chat('ben')->wait_last("look \x{202e}at this");
	is $ann->value(q{document.querySelector('.room-title h2').textContent}), 'BennnA', 'a person\'s';
	is_deeply $ann->value(q{[...document.querySelectorAll('.file-name')].map((e) => e.textContent)}), [('photo_gpj.exe') x 2], 'a file\'s, from wherever it is';
	is $ann->value(q{document.querySelector('.chat[data-user=ben] .preview').textContent}), 'look at this', 'a preview has nothing that reorders what is beside it';
	set_name('ben', "\x{3164}\x{200b}");
	$ann->reload->wait_online->wait_text('.room-title h2', 'ben');
	pass 'a name that shows nothing is not shown';
	my @bad = (['   ', 'can be seen'], ["\x{301}", 'can be seen'], ["a\x{200b}b", 'cannot be seen'], ["a\x{202e}b", 'order']);
	$ann->click('.mine');
	for (@bad) {
		$ann->fill('.dialog input[autocomplete=nickname]', "$_->[0]\n")->wait_text('.dialog .fault', $_->[1]);
		is $t->api('ann')->get('/users/me')->json->{nickname}, 'Ann', "refused: $_->[1]";
	}
	$ann->fill('.dialog input[autocomplete=nickname]', "林梅 👩‍🚀\n")->wait_text('.mine .name', '林梅 👩‍🚀');
	is_deeply [$ann->own_faults], [], 'no fault in the console';
	my $new = $web->visit;
	$new->register('dora', 'correct horse', "\x{3000}");
	$new->wait_text('.login .fault', 'can be seen');
	pass 'and one at registering';
	$_->close for $ann, $new;
};

subtest 'links' => sub {
	my $ann = $web->enter('ann');
	my %link = ("看https://example.com/a这个" => ['https://example.com/a', ''], "(https://example.com/Rust_(x))" => ['https://example.com/Rust_(x)', ''],
		"https://аррӏе.com/" => ['https://xn--80ak6aa92e.com/', ' (xn--80ak6aa92e.com)'], "https://google.com\@evil.example/x" => ['https://google.com@evil.example/x', ' (evil.example)']);
	for my $text (sort keys %link) {
		$t->send_text('noa', 'ann', $text);
		$ann->open_chat('noa')->wait_value(qq{[...document.querySelectorAll('.message .text a')].at(-1)?.href === '$link{$text}[0]'});
		is $ann->value(q{[...document.querySelectorAll('.message .text')].at(-1).querySelector('.host')?.textContent ?? ''}), $link{$text}[1], "$text leads to $link{$text}[0]";
	}
	$ann->close;
};

subtest 'letters of several parts' => sub {
	set_name('noa', '👨‍👩‍👧 family');
	my $long = '👩🏽‍🚀' x 200;
	$t->send_text('ann', 'noa', $long);
	my $ann = $web->enter('ann');
	$ann->open_chat('noa')->wait_last($long);
	is $ann->value(q{document.querySelector('.chat[data-user=noa] .avatar').firstChild.data}), '👨‍👩‍👧', 'the first is whole';
	$ann->choose('.message:last-child', 'Delete')->wait_text('.ask', 'Delete');
	like $ann->value(q{document.querySelector('.ask p').textContent}), qr/“(?:👩🏽‍🚀){80}…”/, 'and so are those of a text that is shortened';
	$ann->close;
};

subtest 'pictures of strangers' => sub {
	my $picture = $web->address . '/icon.svg?picture';
	set_name('noa', 'Noa', $picture);
	$t->http(undef)->post('/users/register', {user_id => $_, password => 'correct horse'}) for qw(eve);
	set_name('eve', 'Eve', "$picture-of-eve");
	set_name('zed', 'Zed', 'https://pictures.example/zed');
	$t->http('eve')->post('/friends/requests', {user_id => 'ann', note => 'look at me'});
	my $ann = $web->enter('ann');
	$ann->wait_value(q{document.querySelector('.chat[data-user=noa] .avatar img')?.naturalWidth > 0});
	pass 'a friend\'s is shown';
	$ann->click('#tab-friends')->wait_text('[data-section=requests] .name', 'Eve');
	$ann->fill('.people [role=search] input', "eve\n")->wait_text('.found .name', 'Eve');
	$ann->click('.side-header .icon-button')->wait_text('.panel .notice', 'Eve wants');
	my $loaded = q{performance.getEntriesByType('resource').some((e) => e.name.endsWith('of-eve'))};
	ok !$ann->value($loaded), 'that of who asks to be one is not even loaded';
	is $ann->value(q{document.querySelector('.person[data-user=eve] .avatar').textContent}), 'E', 'but their initial shown';
	$ann->key('Escape')->click('[data-section=requests] .primary')->wait_value(q{document.querySelector('[data-section=friends] [data-user=eve] .avatar img')?.naturalWidth > 0});
	pass 'accepted, it is';
	is_deeply $ann->value(q{(() => {const {textContent} = document.querySelector('[data-section=friends] [data-user=zed] .avatar'); return [document.querySelectorAll('[data-section=friends] [data-user=zed] img').length, textContent]})()}), [0, 'Z'],
		'that of a friend on a foreign host is not';
	is_deeply [$ann->own_faults], [], 'no fault in the console';
	$ann->close;
};

# The clock of the browser: time passes at once. Of the server: stands at the time it has.
my $shift = q{window.shift = 0; { const Real = Date; window.Date = class extends Real { constructor(...given) { given.length ? super(...given) : super(Real.now() + window.shift); } static now() { return Real.now() + window.shift; } }; }};

subtest 'midnight' => sub {
	my $ann = $web->enter('ann', before => $shift);
	$t->send_text('noa', 'ann', 'on this day');
	$ann->open_chat('noa')->wait_last('on this day')->wait_text('.separator', 'Today');
	wait_for('it to be read', sub { $t->api('ann')->get('/messages/unread-count')->json->{unread_count} == 0 });
	# Two seconds are left of the day, and then nothing happens but that it ends.
	is $ann->value(q{(async () => {
		const end = new Date();
		end.setHours(24, 0, 0, 0);
		window.shift += end - Date.now() - 2000;
		dispatchEvent(new Event('focus'));
		await new Promise((resolve) => setTimeout(resolve)); // what follows from it has been drawn
		return document.querySelector('.separator').textContent;
	})()}), 'Today', 'the last seconds of the day';
	$ann->wait_text('.separator', 'Yesterday')->wait_text('.chat[data-user=noa] time', 'Yesterday');
	is $ann->value(q{[...document.querySelectorAll('.separator')].filter((e) => e.textContent === 'Today').length}), 0, 'what was today is yesterday';
	# With the focus that it brings the page finds that the day is another.
	$ann->value('window.shift += 86400000; 0');
	$ann->click('.mine')->wait_text('.dialog h2', 'Settings');
	pass 'a click with which a new day begins is heard';
	$ann->close;
};

subtest 'a clock that is wrong' => sub {
	for my $wrong (-3600, 3600) {
		my $ann = $web->enter('ann', before => "$shift window.shift = 1000 * $wrong;");
		$t->send_text('ann', 'noa', "sent now $wrong");
		$ann->open_chat('noa')->wait_last("sent now $wrong")->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Recall');
		pass "an hour, $wrong: a message can be recalled";
		$ann->close;
	}
	my $ann = $web->enter('ann', before => "$shift window.shift = -3600000;");
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 1 HOUR WHERE content = ?', undef, 'sent now -3600');
	$ann->reload->wait_online->open_chat('noa');
	$ann->click('.message:has-text("sent now -3600") .more')->wait_text('[role=menuitem]', 'Delete');
	is $ann->value(q{[...document.querySelectorAll('[role=menuitem]')].filter((e) => e.textContent === 'Recall').length}), 0, 'an old one cannot, however slow the clock';
	$ann->close;
};

subtest 'an older browser, without light-dark()' => sub {
	my $sheet = $web->root . '/page.css';
	spew($sheet, Tidings::Util::slurp($sheet) =~ s/light-dark\(/no-such-function(/gr);
	my $ann = $web->enter('ann', before => q{Object.defineProperty(navigator, 'languages', {get: () => ['en-US@posix', 'en']}); delete AbortSignal.timeout;});
	for my $theme (qw(light dark)) {
		$ann->theme($theme);
		my ($text, $back) = map { /(\d+), (\d+), (\d+)/ ? $1 + $2 + $3 : -1 } @{$ann->value(q{(() => { const s = getComputedStyle(document.querySelector('.mine .name')), b = getComputedStyle(document.querySelector('.side')); return [s.color, b.backgroundColor]; })()})};
		my ($dark, $light) = $theme eq 'light' ? ($text, $back) : ($back, $text);
		cmp_ok $light - $dark, '>', 400, "$theme: text and what is behind it differ";
	}
	$ann->close;
};

$web->stop;
done_testing;
