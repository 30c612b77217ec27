# SPDX-License-Identifier: BSD-2-Clause
# Proves talking on the chat page, by two people whose sessions are in two workers: messages both ways, what is unread
# and read, typing, replies, recalling, deleting for oneself, pictures and files, hostile content, drafts, where the new
# messages begin, and notifications of the browser.
use Tidings;
use Tidings::Web;
use Tidings::Util qw(spew);

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start(conf => {message => {recall_window => 120}});
my $t = $web->t;
$t->befriend(qw(ann ben cat));

my $stub = q{
	window.alerts = [];
	window.Notification = class { constructor(title, options) { alerts.push([title, options.body]); } close() {} static permission = 'default';
		static async requestPermission() { Notification.permission = 'granted'; return 'granted'; } };
};
my $ann = $web->enter('ann', before => $stub);
# A connection goes to the worker with the fewest; more are made until the two are apart.
my $ben = $web->enter('ben');
my @spare;
sub worker_of { my ($user) = @_; my ($s) = @{$t->node->ctl_ok("--json", "sessions", $user)->{sessions}}; return $s->{worker} }
for (1 .. 20) {
	last if worker_of('ann') ne worker_of('ben');
	push @spare, $t->ws("spare$_");
	$ben->reload->wait_online;
}
isnt worker_of('ann'), worker_of('ben'), 'the two are in different workers';

subtest 'both ways' => sub {
	$ann->click('#tab-friends')->click('[data-user=ben] a')->click('#tab-chats');
	$ann->wait_text('.row.top', 'beginning of your conversation with Ben');
	$ann->say_text('hello Ben');
	$ann->wait_value(q{document.querySelector('.message.own .ticks.sent')});
	$ben->wait_text('.chat[data-user=ann] .preview', 'hello Ben');
	$ben->wait_text('.chat[data-user=ann] .badge', '1');
	is $ben->value('document.title'), '(1) Tidings', 'what is unread is counted, in the title too';
	$ann->say_text('are you there?');
	$ben->wait_text('.chat[data-user=ann] .badge', '2');
	$ben->open_chat('ann')->wait_last('are you there?');
	$ben->wait_gone('.chat .badge')->wait_value(q{document.title === 'Tidings'});
	$ann->wait_count('.message.own .ticks.read', 2);
	pass 'opening it reads it, and the sender sees that';
	$ben->insert('on my w');
	$ann->wait_text('.room-status.typing', 'typing');
	$ann->wait_text('.chat[data-user=ben] .preview', 'typing');
	pass 'typing is seen';
	$ben->insert('ay')->key('Enter');
	$ann->wait_last('on my way');
	$ann->wait_gone('.room-status.typing');
	$ben->wait_value(q{[...document.querySelectorAll('.message.own .ticks')].at(-1).classList.contains('read')});
	pass 'the answer comes, ends the typing, and is read';
	$ann->wait_text('[aria-live=polite]', 'Ben: on my way');
	pass 'and is read out by a screen reader';
};

subtest 'replying' => sub {
	$ben->choose('.message[data-seq="2"]', 'Reply')->wait_text('.reply-bar', 'are you there?');
	$ben->insert('yes')->key('Enter');
	$ann->wait_last('yes')->wait_text('.message[data-seq="4"] .quote', 'are you there?');
	ok !$ben->value(q{document.querySelector('.reply-bar').checkVisibility()}), 'the reply is done';
	$ann->click('.message[data-seq="4"] .quote')->wait_value(q{document.activeElement.dataset.seq === '2'});
	pass 'what is replied to is shown, and leads there';
};

subtest 'recalling and deleting' => sub {
	$ann->say_text('a mistake');
	$ben->wait_last('a mistake');
	$ben->choose('.message[data-seq="5"]', 'Reply')->insert('an answer to it')->key('Enter');
	$ann->wait_last('an answer to it');
	$ann->choose('.message[data-seq="5"]', 'Recall');
	$_->wait_text('.message[data-seq="5"].recalled .text', 'recalled') for $ann, $ben;
	$_->wait_text('.message[data-seq="6"] .quote', 'recalled') for $ann, $ben;
	unlike $_->value('document.body.textContent'), qr/a mistake/, 'what is recalled is gone, quotes of it too' for $ann, $ben;
	$ann->click('.message[data-seq="6"] .more')->wait_text('[role=menuitem]', 'Delete');
	is $ann->value(q{[...document.querySelectorAll('[role=menuitem]')].filter((e) => e.textContent === 'Recall').length}), 0, 'another\'s cannot be recalled';
	$ann->click('[role=menuitem]', 'Delete for me')->agree->wait_gone('.message[data-seq="6"]');
	is $ben->count('.message[data-seq="6"]'), 1, 'deleting is one side only';
	$ann->wait_text('.chat[data-user=ben] .preview', 'recalled');
	pass 'the list shows the message before';
	$ann->reload->wait_online->wait_value(q{document.querySelector('.message[data-seq="5"]')});
	is $ann->count('.message[data-seq="6"]'), 0, 'and it stays away';
	$ann->say_text('soon too late')->wait_last('soon too late')->wait_value(q{document.querySelector('.message:last-child .ticks.sent, .message:last-child .ticks.read')});
	# The page goes by the server's clock, once it has heard of it.
	$ann->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Recall');
	$t->node->clock(130);
	$ann->click('[role=menuitem]', 'Recall')->wait_text('.note', 'too late');
	pass 'the server has the last word on what can be recalled';
};

subtest 'pictures, sound, films, files' => sub {
	my $root = $web->root;
	spew("$root/a.svg", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3" fill="teal"/></svg>');
	spew("$root/a.wav", pack 'a4Va4a4VvvVVvva4V', 'RIFF', 36, 'WAVE', 'fmt ', 16, 1, 1, 8000, 16000, 2, 16, 'data', 0);
	my $at = $web->address;
	$t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'image', media_url => "$at/a.svg"});
	$ben->wait_value(q{document.querySelector('.message.other .media-image img')?.naturalWidth > 0});
	like $ben->value(q{document.querySelector('.media-image img').alt}), qr/Photo, Ann/, 'a picture, with a name';
	$ben->click('.media-image')->wait_value(q{document.querySelector('.lightbox img').naturalWidth});
	$ben->key('Escape')->wait_gone('.lightbox');
	$t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => $_->[0], media_url => "$at/$_->[1]", extra => $_->[2], content => $_->[3]})
		for ['voice', 'a.wav', {duration => 61}], ['video', 'a.wav', {width => 160, height => 90}], ['file', 'plan%20b.pdf', {size => 1234567, file_name => '<b>plan</b>.pdf'}, 'as promised'];
	$ben->wait_text('.message .text', 'as promised');
	is $ben->value(q{document.querySelector('.voice-play').title + ' ' + document.querySelector('.media-voice .voice-time').textContent}), 'Play 1:01', 'a voice message, with its length';
	is $ben->value(q{document.querySelector('.media-video').controls && document.querySelector('.media-video').style.aspectRatio}), '160 / 90', 'a film, with room kept for it';
	is $ben->value(q{document.querySelector('.media-file').innerText.split('\n')[0]}), '<b>plan</b>.pdf', 'a file, by its name';
	is_deeply $ben->value(q{[document.querySelector('.media-file').rel, document.querySelector('.media-file').target]}), ['noopener noreferrer', '_blank'], 'which opens apart';
	$ben->wait_text('.media-file', '1.2');
	$ann->wait_text('.chat[data-user=ben] .preview', '[File] as promised');
	pass 'and each is named in the list';
};

subtest 'hostile content' => sub {
	my @hostile = ('<img src=x onerror="document.title = 1">', '<script>alert(1)</script>', '"><svg/onload=alert(1)>', '&lt;b&gt; &amp;', 'javascript:alert(1)',
		'https://example.org/"onmouseover="alert(1)', "\x{202e}evil\x{200b}", '{{7*7}} ${7*7}');
	$t->send_text('ann', 'ben', $_) for @hostile;
	$t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'file', media_url => 'https://example.org/%00%zz', content => 'the end',
		extra => {file_name => ['x'], size => '9', width => {}, duration => -1, thumbnail => 'javascript:alert(1)'}});
	$ben->wait_last('the end');
	is_deeply [@{$ben->texts}[-1 - @hostile .. -2]], \@hostile, 'markup stays text';
	is $ben->count('.message script, .message svg[onload], .message .text img, .message .text b'), 0, 'and makes no elements';
	is_deeply $ben->value(q{[...document.querySelectorAll('.message a')].filter((a) => !/^https?:/.test(a.href)).map((a) => a.href)}), [], 'no address but of the web';
	is $ben->value(q{(() => { try { document.body.innerHTML = '<b>x</b>'; return 'made'; } catch (e) { return e.name; } })()}), 'TypeError', 'nor could it: the policy forbids it';
	$ben->take_faults;
	$t->dbh->do('UPDATE users SET nickname = ?, avatar_url = ? WHERE id = ?', undef, '<i>Ann</i>', 'javascript:alert(1)', 'ann');
	$ben->reload->wait_online->wait_text('.chat .name', '<i>Ann</i>');
	is $ben->count('.avatar img'), 0, 'names and pictures of people likewise';
};

subtest 'drafts' => sub {
	$ann->wait_value(q{document.querySelector('#compose').checkVisibility()});
	$ann->type('#compose', 'not yet')->click('#tab-friends')->click('[data-user=cat] a')->click('#tab-chats');
	$ann->wait_text('.chat[data-user=ben] .preview', 'Draft: not yet');
	$ann->wait_value(q{document.querySelector('#compose').value === ''});
	pass 'of one conversation only';
	$ann->say_text('hello Cat')->wait_last('hello Cat');
	$ann->reload->wait_online->wait_text('.chat[data-user=ben] .preview', 'not yet');
	$ann->open_chat('ben');
	is $ann->value(q{document.querySelector('#compose').value}), 'not yet', 'kept when the page is loaded again';
	$ann->key('Enter');
	$ben->open_chat('ann')->wait_last('not yet');
	$ann->open_chat('cat')->wait_value(q{!document.querySelector('.chat[data-user=ben] em')});
	pass 'and gone when sent';
};

subtest 'new messages, and telling of them' => sub {
	$t->send_text('ben', 'ann', "new $_") for 1 .. 3;
	$ann->wait_text('.chat[data-user=ben] .badge', '3');
	is $ann->value('alerts.length'), 0, 'nobody is notified who has not asked to be';
	$ann->click('.mine')->click('.dialog .check')->wait_value(q{document.querySelector('.dialog .check input').checked});
	$ann->key('Escape')->wait_gone('.dialog');
	$t->send_text('ben', 'ann', 'new 4');
	$ann->wait_value('alerts.length === 1');
	is_deeply $ann->value('alerts'), [['Ben', 'new 4']], 'a notification for a conversation that is not open';
	$t->send_text('cat', 'ann', 'seen at once');
	$ann->wait_last('seen at once');
	is $ann->value('alerts.length'), 1, 'none for the one that is';
	$ann->open_chat('ben')->wait_text('.separator.new', 'New messages');
	is $ann->value(q{document.querySelector('.separator.new').nextElementSibling.querySelector('.text').textContent}), 'new 1', 'a line tells where they begin';
	$ann->wait_gone('.chat .badge');
	$ann->open_chat('cat')->open_chat('ben');
	is $ann->count('.separator.new'), 0, 'and is gone the next time';
};

subtest 'a click on what changes meanwhile' => sub {
	$ann->open_chat('cat')->hover('.chat[data-user=ben]')->mouse_down;
	$t->send_text('ben', 'ann', 'in between');
	$ann->wait_text('[aria-live=polite]', 'in between');
	is $ann->count('.chat[data-user=ben] .badge'), 0, 'nothing is drawn anew under the mouse';
	$ann->mouse_up->wait_last('in between');
	pass 'the row that it goes down and up on hears the click';
	$ann->open_chat('cat')->hover('.chat[data-user=ben]')->mouse_down;
	$t->send_text('ben', 'ann', 'while it is held');
	$ann->wait_text('[aria-live=polite]', 'while it is held');
	$ann->value(q{dispatchEvent(new Event('blur'))});
	$ann->wait_text('.chat[data-user=ben] .badge', '1');
	pass 'who leaves the window with the button held finds it up to date';
	$ann->mouse_up;
};

subtest 'a key on what changes meanwhile' => sub {
	$ann->open_chat('ben')->click('#tab-friends')->wait_text('.person[data-user=cat]', 'offline');
	$ann->value(q{document.querySelector('.person[data-user=cat] .more').focus()});
	$ann->hold_key(' ');
	my $cat = $t->ws('cat');
	wait_for('cat to be online', sub { grep { $_->{user}{user_id} eq 'cat' && $_->{online} } @{$t->api('ann')->get('/friends')->json->{items}} });
	$t->send_text('ben', 'ann', 'as long as it is down');
	$ann->wait_text('[aria-live=polite]', 'as long as it is down');
	$ann->let_go_key(' ')->wait_text('[role=menuitem]', 'End friendship');
	pass 'the button that it goes down and up on hears it';
	$ann->key('Escape')->wait_text('.person[data-user=cat]', 'online');
	$cat->close;
};

is_deeply [map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
$_->abort for @spare;
$web->stop;
done_testing;
