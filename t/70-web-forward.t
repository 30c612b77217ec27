# SPDX-License-Identifier: BSD-2-Clause
# Proves forwarding on the chat page: one message and several, to several targets, as copies and as one, with a comment; the
# search for targets; selecting by mouse, keyboard and finger; what is told where some targets fail, and a second try; the
# card of merged messages and its reader, also of one within another.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat dan));
$t->api('ann')->post('/messages/conversations/create', {user_id => $_}) for qw(ben cat);
my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
my @m = map { $t->send_text('ben', 'ann', $_) } 'Shall we walk on Sunday?', 'The weather will be fine.', 'Nine at the station?';
my ($ann, $ben, $cat) = map { $web->enter($_) } qw(ann ben cat);
$ann->open_chat('ben')->wait_last($m[2]{content});
$cat->wait_text('#panel-chats .chat', 'Ann')->open_chat('ann');

sub row { my ($m) = @_; return ".message[data-id='$m->{id}']" }
sub targets { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.forward-dialog .picks .name')].map((e) => e.textContent)}) }
sub chosen { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.forward-dialog .chip')].map((e) => e.textContent)}) }
sub said { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.message')].map((e) => e.querySelector('.text')?.textContent ?? '')}) }
sub selected { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.message.selected')].map((e) => Number(e.dataset.seq))}) }
sub count_is { my ($page, $text) = @_; return $page->wait_text('.selection-bar p', $text) }
my $last = q{[...document.querySelectorAll('.message')].at(-1)};

subtest 'one message' => sub {
	$ann->wait_friends(qw(ben cat dan))->choose(row($m[0]), 'Forward')->wait_value(q{document.querySelector('.forward-dialog')});
	is_deeply [sort @{targets($ann)}], [qw(Ben Cat Dan Walkers)], 'to conversations and friends';
	is $ann->value(q{document.activeElement.type}), 'search', 'the search has the focus';
	ok $ann->value(q{document.querySelector('.forward-form .primary').disabled}), 'a target is needed';
	$ann->insert('ca')->wait_value(q{document.querySelectorAll('.forward-dialog .picks li').length === 1});
	$ann->key('Enter');
	is_deeply chosen($ann), ['Cat'], 'Enter takes the first that is found';
	$ann->fill('.forward-form .field input', 'what do you say?')->click('.forward-form .primary')->wait_gone('.forward-dialog');
	$ann->wait_text('.note', 'Forwarded to Cat');
	$cat->wait_last('Shall we walk on Sunday?');
	is_deeply [@{said($cat)}[-2, -1]], ['what do you say?', 'Shall we walk on Sunday?'], 'after the comment';
	is $cat->value("$last.querySelector('.forwarded-from').textContent"), 'Forwarded from Ben', 'it says who wrote it';
	$ben->open_chat('ann');
	$cat->choose('.message:last-child', 'Forward')->click('.forward-dialog [data-key=ben]')->click('.forward-form .primary')->wait_gone('.forward-dialog');
	$ben->wait_text('.chat[data-user=cat] .preview', 'Shall we walk on Sunday?')->open_chat('cat')->wait_last('Shall we walk on Sunday?');
	is $ben->value("$last.querySelector('.forwarded-from').textContent"), 'Forwarded from you', 'the first author, whoever passes it on';
	$cat->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Reply');
	$cat->key('Escape');
	$ann->open_chat('cat')->wait_last('Shall we walk on Sunday?')->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Reply');
	is_deeply $ann->value(q{[...document.querySelectorAll('[role=menuitem]')].map((e) => e.textContent).filter((x) => x === 'Edit')}), [], 'what was forwarded is not edited';
	$ann->key('Escape')->open_chat('ben')->wait_last($m[2]{content});
};

subtest 'selecting' => sub {
	$ann->choose(row($m[0]), 'Select');
	count_is($ann, '1 selected');
	ok !$ann->value(q{document.querySelector('.composer').checkVisibility()}), 'nothing is written meanwhile';
	$ann->click(row($m[2]) . ' .bubble');
	count_is($ann, '2 selected');
	is_deeply selected($ann), [1, 3], 'by a click';
	$ann->key('Escape');
	$ann->wait_gone('.message .select');
	ok $ann->value(q{document.querySelector('.composer').checkVisibility()}), 'Escape ends it';
	$ann->choose(row($m[0]), 'Select')->key('ArrowDown', 'Space');
	count_is($ann, '2 selected');
	$ann->key('ArrowUp', 'Enter');
	count_is($ann, '1 selected');
	is_deeply selected($ann), [2], 'by keyboard';
	$ann->click(row($m[2]) . ' .select');
	count_is($ann, '2 selected');
	my $mine = $t->send_text('ann', 'ben', 'mine, with reactions');
	$t->api('ben')->put("/messages/$mine->{id}/reactions/%F0%9F%91%8D");
	my $in_line = q{(() => { const [box, bubble] = ['.select', '.bubble'].map((s) => document.querySelector(`.message:last-child > ${s}`).getBoundingClientRect()); return box.top >= bubble.top && box.bottom <= bubble.bottom && box.right < bubble.left; })()};
	$ann->wait_last('mine, with reactions')->wait_value(q{document.querySelector('.message:last-child .reaction')});
	ok $ann->value($in_line), 'the box is beside the message, not under its reactions';
	is_deeply [grep { $_->[0] eq 'checkbox' && $_->[1] !~ /^Select: (?:Ben|You), / } $ann->accessible], [], 'each box has a name';
	my $gone = $t->send_text('ben', 'ann', 'gone soon');
	$ann->wait_last('gone soon')->click('.message:last-child .bubble');
	count_is($ann, '3 selected');
	$t->api('ben')->put("/messages/$gone->{id}/recall");
	count_is($ann, '2 selected');
	pass 'one that is recalled is not selected any more';
	$ann->click('.selection-bar .icon-button')->wait_gone('.message .select');
	is_deeply selected($ann), [], 'and the cross ends it, too';
	$ann->choose(row($m[0]), 'Select')->value(qq{document.querySelector("[data-id='$m[2]{id}'] .bubble").dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, shiftKey: true})); 0});
	count_is($ann, '3 selected');
	pass 'with Shift all between';
};

subtest 'several, as copies, to several' => sub {
	$ann->click('.selection-bar .primary')->wait_text('.forward-dialog h2', 'Forward 3 messages');
	$ann->click('.forward-dialog [data-key=cat]')->click(".forward-dialog [data-key='g/$group']")->click('.forward-form .primary')->wait_gone('.forward-dialog');
	$ann->wait_text('.note', 'Forwarded to Cat and Walkers')->wait_gone('.message .select');
	$cat->open_chat('ann')->wait_last('Nine at the station?');
	is_deeply [@{said($cat)}[-3 .. -1]], [map { $_->{content} } @m], 'in their order';
	$cat->wait_text(".chat[data-group='$group'] .preview", 'Nine at the station?');
	pass 'in both';
};

subtest 'as one' => sub {
	my $bold = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'text', content => 'bring cake', entities => [{type => 'bold', offset => 6, length => 4}]})->json;
	my $image = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'image', media_url => $web->address . '/icon.svg', content => 'map'})->json;
	$ann->wait_last('map')->choose(row($m[0]), 'Select')->click(row($bold) . ' .bubble')->click(row($image) . ' .text');
	count_is($ann, '3 selected');
	$ann->click('.selection-bar .primary')->click('.forward-dialog [data-key=cat]')->click('.forward-dialog .check')->click('.forward-form .primary')->wait_gone('.forward-dialog');
	$cat->wait_value("$last.querySelector('.merged')");
	is_deeply $cat->value("[$last.querySelector('.merged strong').textContent, ...[...$last.querySelectorAll('.merged-line, .merged-foot')].map((e) => e.textContent)]"),
		['Messages of Ben', 'Ben: Shall we walk on Sunday?', 'Ben: bring cake', 'Ben: [Photo] map', '3 messages'], 'a card shows what is in it';
	$cat->wait_text('.chat[data-user=ann] .preview', '[Forwarded messages]');
	$t->api('ben')->put("/messages/$bold->{id}/recall");
	$cat->click('.merged')->wait_count('.forwarded-dialog .part', 3);
	is_deeply $cat->value(q{[...document.querySelectorAll('.part')].map((e) => e.querySelector('.part-top strong').textContent + ': ' + e.querySelector('.text').innerHTML.replace(/<(\w+)[^>]*>/g, '<$1>'))}),
		['Ben: Shall we walk on Sunday?', 'Ben: bring <strong>cake</strong>', 'Ben: map'], 'the reader has all of it, also what was recalled since';
	ok $cat->value(q{document.querySelector('.part .media-image img') !== null}), 'pictures too';
	$cat->key('Escape')->wait_gone('dialog');
	$cat->say_text('thanks')->wait_last('thanks');
	$cat->wait_value("$last.querySelector('.ticks.sent, .ticks.delivered, .ticks.read')");
	my $merged = $cat->value(q{document.querySelector('.message:has(.merged)').dataset.id});
	$cat->choose(".message[data-id='$merged']", 'Select')->click('.message:last-child .bubble');
	count_is($cat, '2 selected');
	$cat->click('.selection-bar .primary')->click('.forward-dialog [data-key=dan]')->click('.forward-dialog .check')->click('.forward-form .primary')->wait_gone('.forward-dialog');
	my $dan = $web->enter('dan', width => 375, height => 667, mobile => 1);
	$dan->open_chat('cat')->wait_value("$last.querySelector('.merged')");
	$dan->wait_text('.message:last-child .merged strong', 'Messages of Ann and Cat'); # as soon as it knows their names
	pass 'one within another';
	ok $dan->value(q{document.querySelector('.rows').scrollWidth <= innerWidth}), 'it has room on a phone';
	$dan->press('.message:last-child .merged')->wait_value(q{document.querySelector('.bubble.pressed')});
	$dan->release->wait_text('[role=menuitem]', 'Reply');
	is $dan->count('dialog'), 0, 'a finger that rests on it opens the menu, and nothing else';
	$dan->key('Escape')->wait_gone('.menu');
	my $touch = sub { my ($class, $type, $more) = @_; $dan->value("document.querySelector('.merged').dispatchEvent(new $class('$type', {bubbles: true, cancelable: true, pointerType: 'touch', $more})); 0") };
	$touch->('PointerEvent', 'pointerdown', 'button: 0');
	$dan->wait_value(q{document.querySelector('.bubble.pressed')});
	$touch->('PointerEvent', 'pointerup', 'button: 0');
	$dan->wait_text('[role=menuitem]', 'Reply');
	$touch->('PointerEvent', 'click', 'detail: 1');
	is_deeply [$dan->count('dialog'), $dan->count('.menu')], [0, 1], 'nor where its click is late';
	$dan->key('Escape')->wait_gone('.menu');
	$dan->click('.merged')->wait_count('.forwarded-dialog .part', 2)->click('.part .merged')->wait_count('.forwarded-dialog', 2)->wait_count('.forwarded-dialog:last-of-type .part', 3);
	is $dan->value(q{document.querySelector('.forwarded-dialog:last-of-type h2').textContent}), 'Messages of Ben', 'and its parts can be read';
	is_deeply [grep { $_->[1] eq '' } $dan->accessible], [], 'everything has a name';
	is_deeply [$dan->own_faults], [], 'no fault';
	$dan->close;
};

subtest 'where some fail' => sub {
	$t->dbh->do('UPDATE friendships SET blocked = 1 WHERE user_id = ? AND friend_id = ?', undef, qw(dan ann));
	$ann->choose(row($m[1]), 'Forward')->click('.forward-dialog [data-key=dan]')->click('.forward-dialog [data-key=cat]')->click('.forward-form .primary')->wait_count('.forward-results li', 2);
	is_deeply $ann->value(q{[...document.querySelectorAll('.forward-results li')].map((e) => e.querySelector('.name').textContent + (e.matches('.bad') ? '-' : '+'))}), ['Dan-', 'Cat+'], 'each is told of';
	$cat->wait_last('The weather will be fine.');
	my $before = $cat->count('.message');
	$t->dbh->do('UPDATE friendships SET blocked = 0 WHERE user_id = ? AND friend_id = ?', undef, qw(dan ann));
	$ann->click('.forward-form .primary', 'Try again')->wait_gone('.forward-dialog');
	is $t->api('dan')->get('/messages/conversations')->json->{items}[0]{last_message}{content}, 'The weather will be fine.', 'a second try sends what is missing';
	$t->send_text('ann', 'cat', 'that was all');
	$cat->wait_last('that was all');
	is $cat->count('.message'), $before + 1, 'and doubles nothing';
	$ann->choose(row($m[2]), 'Forward')->click('.forward-dialog [data-key=cat]');
	$t->api('ben')->put("/messages/$m[2]{id}/recall");
	$ann->click('.forward-form .primary')->wait_text('.forward-dialog .fault', 'cannot be forwarded any more');
	pass 'what is recalled meanwhile is not forwarded';
	$ann->key('Escape')->wait_gone('dialog');
};

subtest 'by finger, in Chinese' => sub {
	my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->open_chat('ben');
	$phone->press(row($m[0]) . ' .text')->wait_value(q{document.querySelector('.bubble.pressed')});
	$phone->release->click('[role=menuitem]', '多选');
	count_is($phone, '已选择 1 条');
	$phone->click(row($m[1]) . ' .bubble');
	count_is($phone, '已选择 2 条');
	$phone->click('.selection-bar .primary')->wait_text('.forward-dialog h2', '转发 2 条消息');
	ok $phone->value(q{(() => {const r = document.querySelector('.forward-dialog').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight})()}), 'it has room';
	is_deeply [grep { $_->[1] eq '' } $phone->accessible], [], 'everything has a name';
	$phone->click('.forward-dialog [data-key=dan]')->click('.forward-form .primary')->wait_gone('.forward-dialog')->wait_text('.note', '已转发给 Dan');
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [map { $_->own_faults } $ann, $ben, $cat], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
