# SPDX-License-Identifier: BSD-2-Clause
# Proves editing on the chat page: from the menu and by arrow up, saving and leaving, captions, mentions, what the other
# side and other sessions see at once, in the list and in quotes too, what is refused, and drafts that stay.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start(conf => {message => {edit_window => 3600}});
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->api('ann')->post('/messages/conversations/create', {user_id => $_}) for qw(ben cat);
my ($ann, $ann2, $ben) = map { $web->enter($_) } qw(ann ann ben);

my $field = q{document.querySelector('#compose')};
sub text_is { my ($page, $text) = @_; return $page->wait_composer($text) }
sub bar { my ($page) = @_; return $page->value(q{document.querySelector('.reply-bar').checkVisibility() && document.querySelector('.reply-bar').textContent}) }
sub items { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('[role=menuitem]')].map((e) => e.textContent)}) }
sub stored { my ($m) = @_; return $t->api('ann')->get("/messages/$m->{id}")->json }
sub sent { my ($page, $text) = @_; $page->wait_last($text)->wait_value(q{[...document.querySelectorAll('.message')].at(-1).querySelector('.ticks.sent, .ticks.read')}); return }
# What is typed replaces all of the text.
sub replace { my ($page, $text) = @_; $page->value("$field.select()"); return $page->insert($text) }

subtest 'from the menu' => sub {
	$_->open_chat('ben') for $ann, $ann2;
	$ben->open_chat('ann');
	$ann->say_text('helo Ben')->wait_last('helo Ben');
	$ben->wait_last('helo Ben')->choose('.message:last-child', 'Reply')->insert('yes?')->key('Enter');
	$ann->wait_last('yes?');
	$ann->choose('.message[data-seq="1"]', 'Edit');
	text_is($ann, 'helo Ben');
	is bar($ann), 'Edit the messagehelo Ben', 'the composer says that one edits, and what';
	is_deeply $ann->value("[$field.getAttribute('aria-label'), document.getElementById($field.getAttribute('aria-describedby')).textContent, document.activeElement.id, document.querySelector('.send').title]"),
		['Edit the message', 'Edit the messagehelo Ben', 'compose', 'Save the edited message'], 'for a screen reader too';
	replace($ann, 'hello Ben')->key('Enter');
	$_->wait_text('.message[data-seq="1"] .text', 'hello Ben')->wait_text('.message[data-seq="1"] .edited', 'edited') for $ann, $ann2, $ben;
	pass 'both sides and other sessions see it';
	$_->wait_text('.message[data-seq="2"] .quote', 'hello Ben') for $ann, $ben;
	pass 'quotes of it too';
	like $ben->value(q{document.querySelector('.message[data-seq="1"] .edited').title}), qr/^Edited .*\d\d/, 'and when it was';
	like $ben->value(q{document.querySelector('.message[data-seq="1"]').getAttribute('aria-label')}), qr/, edited$/, 'for a screen reader too';
	text_is($ann, '');
	ok !bar($ann), 'it is done';
	is $ann->value('document.activeElement.id'), 'compose', 'and one writes on';
	$ann->click('.message[data-seq="2"] .more')->wait_text('[role=menuitem]', 'Delete');
	is_deeply [grep { $_ eq 'Edit' } @{items($ann)}], [], 'another\'s cannot be edited';
	$ann->key('Escape');
};

subtest 'by arrow up' => sub {
	$ann->say_text('first')->say_text('second');
	sent($ann, 'second');
	$ann->key('ArrowUp');
	text_is($ann, 'second');
	like bar($ann), qr/^Edit the message/, 'the last message';
	$ann->key('Escape');
	text_is($ann, '');
	ok !bar($ann), 'Escape leaves it as it is';
	$ann->key('ArrowUp')->insert('!')->key('Enter')->wait_text('.message:last-child .text', 'second!');
	$ben->wait_text('.chat[data-user=ann] .preview', 'second!');
	pass 'the list shows it';
	text_is($ann, '')->key('ArrowUp');
	text_is($ann, 'second!');
	$ann->key('Enter');
	text_is($ann, '');
	pass 'nothing changed: nothing is sent';
	$ann->insert('typing')->key('ArrowUp');
	ok !bar($ann), 'who writes moves in the text';
	$ann->choose('.message[data-seq="3"]', 'Edit');
	text_is($ann, 'first');
	$ann->key('Escape');
	text_is($ann, 'typing');
	pass 'what was being written is there again';
	$ann->choose('.message[data-seq="3"]', 'Edit')->insert(' of all')->click('.send')->wait_text('.message[data-seq="3"] .text', 'first of all');
	text_is($ann, 'typing');
	$ann->choose('.message[data-seq="3"]', 'Edit');
	text_is($ann, 'first of all');
	$ann->click('#tab-friends')->click('[data-user=cat] a')->click('#tab-chats');
	$ann->wait_text('.chat[data-user=ben] .preview', 'typing');
	text_is($ann->open_chat('ben'), 'typing');
	pass 'an edit that was left is no draft';
	replace($ann, 'end')->key('Enter');
	sent($ann, 'end');
	text_is($ann, '');
};

subtest 'a caption, and mentions' => sub {
	my $image = $t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'image', media_url => $web->address . '/icon.svg', content => 'cat'})->json;
	$ann->wait_last('cat')->key('ArrowUp');
	text_is($ann, 'cat');
	ok !$ann->value(q{document.querySelector('.compose-row .icon-button').checkVisibility()}), 'nothing else is attached to it';
	replace($ann, 'a dog')->key('Enter')->wait_last('a dog');
	$ben->wait_last('a dog')->wait_text('.chat[data-user=ann] .preview', '[Photo] a dog');
	text_is($ann, '')->key('ArrowUp');
	text_is($ann, 'a dog');
	replace($ann, '')->key('Backspace')->click('.send');
	wait_for('the caption to be gone', sub { stored($image)->{content} eq '' });
	is stored($image)->{media_url}, $image->{media_url}, 'the picture stays';
	my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
	$ben->value(q{location.hash = '#/'; 0});
	$ann->open_group($group)->insert('@')->wait_value(q{document.querySelector('.mention-list [data-user=ben]')});
	$ann->key('Escape')->insert('ben look')->key('Enter');
	sent($ann, '@ben look');
	$ben->wait_text(".chat[data-group='$group'] .mentions", '@');
	$ann->key('ArrowUp');
	text_is($ann, '@ben look');
	replace($ann, '@cat look')->key('Enter')->wait_last('@cat look');
	$ben->wait_gone(".chat[data-group='$group'] .mentions")->wait_text(".chat[data-group='$group'] .badge", '1');
	pass 'who is not mentioned any more has no mention';
	my $untold = $web->say_in('ann', $group, 'quietly for you', mentions => ['ben']);
	text_is($ann, '')->wait_last('quietly for you')->key('ArrowUp');
	text_is($ann, 'quietly for you');
	$ann->insert(', @cat too')->key('Enter')->wait_last('quietly for you, @cat too');
	is_deeply [sort @{stored($untold)->{mentions}}], [qw(ben cat)], 'a mention that the text does not say stays';
	$ann->open_chat('ben');
};

subtest 'what is refused' => sub {
	my $old = $t->send_text('ann', 'ben', 'of long ago');
	$ann->wait_last('of long ago')->key('ArrowUp');
	text_is($ann, 'of long ago');
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 2 HOUR WHERE id = ?', undef, $old->{id});
	replace($ann, 'late')->key('Enter')->wait_text('.note', 'It is too late to edit this message.');
	pass 'the server has the last word';
	text_is($ann, 'late');
	ok $ann->value("!$field.readOnly && !document.querySelector('.send').disabled"), 'what was typed is not lost';
	$ann->key('Escape');
	my $gone = $t->send_text('ann', 'ben', 'to be recalled');
	$ann->wait_last('to be recalled')->key('ArrowUp');
	text_is($ann, 'to be recalled');
	$t->api('ann')->put("/messages/$gone->{id}/recall");
	$ann->wait_text('.message:last-child.recalled', 'recalled');
	text_is($ann, '');
	ok !bar($ann), 'a recalled message is not edited any longer';
	$ann->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Delete');
	is_deeply [grep { $_ eq 'Edit' } @{items($ann)}], [], 'nor offered';
	$ann->key('Escape');
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 3 DAY WHERE content = ?', undef, 'end');
	$ann->reload->wait_online->wait_text('.message .text', 'end');
	$ann->click('.message[data-seq="5"] .more')->wait_text('[role=menuitem]', 'Delete');
	is_deeply [grep { $_ eq 'Edit' } @{items($ann)}], [], 'nor one of three days ago';
	$ann->key('Escape');
};

subtest 'after an absence' => sub {
	my $m = $t->send_text('ann', 'ben', 'before');
	$ben->open_chat('ann')->wait_last('before');
	$web->browser->cut(1);
	$ben->wait_value(q{!document.querySelector('.mine .dot.online')});
	$t->api('ann')->put("/messages/$m->{id}", {content => 'after'});
	$web->browser->cut(0);
	$ben->wait_online->wait_last('after')->wait_text('.chat[data-user=ann] .preview', 'after');
	pass 'what was edited meanwhile is seen';
};

# The browser tells of the connections that were cut.
is_deeply [grep { !/\AWebSocket connection to .* failed|net::ERR_/ } map { $_->own_faults } $ann, $ann2], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
