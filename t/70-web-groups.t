# SPDX-License-Identifier: BSD-2-Clause
# Proves groups on the chat page: making one from friends, talking in it, who said what, what happened to it in words,
# what is unread, who has read, several people typing, recalling by an admin, and drafts.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->befriend(qw(ann dan));
$t->befriend(qw(ben dan));
my ($ann, $ben, $cat) = map { $web->enter($_) } qw(ann ben cat);
$_->wait_text('.chats .empty', 'No conversations yet') for $ben, $cat; # they have caught up
my $group;

subtest 'making one' => sub {
	$ann->click('.new-group')->wait_value(q{document.activeElement.closest('.new-group') !== null});
	$ann->insert(' ')->click('.dialog .primary')->wait_text('.dialog .fault', 'A group needs a name');
	$ann->key('Backspace');
	$ann->insert('Walkers <b>');
	$ann->click('.picks [data-user=ben]');
	$ann->fill('.picker .filter', 'ca')->wait_count('.picks li', 1);
	$ann->key('Enter')->wait_text('.chip', 'Cat')->wait_count('.picks li', 3);
	pass 'friends are found and chosen by the keyboard';
	my ($left, $top) = @{$ann->value(q{(({left, top}) => [left, top])(document.querySelector('.dialog').getBoundingClientRect())})};
	# A click on the padding, and drags over the edge in both directions.
	$ann->mouse_to(@$_[0, 1])->mouse_down->mouse_to(@$_[2, 3])->mouse_up
		for [($left + 4, $top + 4) x 2], [$left + 40, $top + 40, $left - 20, $top + 40], [$left - 20, $top + 40, $left + 4, $top + 40];
	is $ann->value(q{document.querySelector('.new-group [type=text]')?.value}), 'Walkers <b>', 'a press within the dialog, to its end or from its beginning, leaves it open';
	$ann->click('.picks [data-user=dan]')->wait_count('.chip', 3);
	$t->api('dan')->put('/friends/ann/block');
	$ann->click('.dialog .primary')->wait_text('.left-out [data-user=dan]', 'Dan does not want to be added by you.');
	pass 'who could not be added is told, with the reason';
	$ann->mouse_to($left - 20, $top + 40)->mouse_down->mouse_up->wait_gone('.dialog')->wait_text('.room-title h2', 'Walkers <b>');
	pass 'a click beside a dialog closes it';
	$ann->wait_text('.room-status', '3 members');
	$group = $ann->value(q{document.querySelector('.chat[aria-current]').dataset.group});
	$ann->wait_events('You created the group with Ben and Cat');
	pass 'the page is there, and says what happened';
	$_->wait_text(".chat[data-group='$group'] .name", 'Walkers <b>') for $ben, $cat;
	$_->wait_text(".chat[data-group='$group'] .preview", 'Ann created the group with you') for $ben, $cat;
	is $ben->count('.chat .badge'), 0, 'the others have it at once, and nothing is unread';
	$t->api('dan')->delete('/friends/ann/block');
	$_->wait_note('You were added to Walkers <b>.') for $ben, $cat;
	is_deeply $ann->value('notesSaid'), [], 'and are told so, who made it is not';
};

subtest 'talking' => sub {
	$ann->say_text('hello all');
	$ben->wait_text(".chat[data-group='$group'] .preview", 'Ann: hello all')->wait_text('.chat .badge', '1');
	pass 'the list names the sender';
	$_->open_group($group)->wait_last('hello all') for $ben, $cat;
	$ben->wait_gone('.chat .badge');
	$ann->wait_value(q{document.querySelector('.message.own .ticks.read')});
	pass 'read by somebody';
	$ben->say_text('hi')->say_text('there')->wait_stored('there');
	$cat->say_text('hello Ben')->wait_stored('hello Ben')->wait_count('.message', 4);
	$ann->wait_last('hello Ben')->wait_count('.message', 4);
	is_deeply $ann->value(q{[...document.querySelectorAll('.sender')].map((e) => e.textContent)}), ['Ben', 'Cat'], 'each run of messages has its sender\'s name once';
	is_deeply $ann->value(q{[...document.querySelectorAll('.message')].map((e) => e.querySelectorAll('.sender-picture .avatar').length)}), [0, 0, 1, 1], 'and picture once';
	is $ann->value(q{document.querySelectorAll('.sender')[0].className === document.querySelectorAll('.sender')[1].className}), JSON::PP::false, 'in colours of their own';
	my $ink = $ann->value(q{document.querySelector('.sender').className});
	is $cat->value(q{document.querySelectorAll('.sender')[1].className}), $ink, 'the same for every reader';
	like $ann->value(q{document.querySelectorAll('.message')[1].getAttribute('aria-label')}), qr/^Ben, /, 'and said to a screen reader';
	$ann->wait_text('[aria-live=polite]', 'Cat: hello Ben');
};

subtest 'typing' => sub {
	# Who goes on is told of every three seconds, and is forgotten soon after that.
	my $go_on = sub {
		my ($typing, @pages) = @_;
		wait_for($typing, sub { $_->key('x', 'Backspace') for @pages; $ann->value($typing) });
	};
	my ($status, $preview) = map { "document.querySelector('$_').textContent" } '.room-status', ".chat[data-group=\"$group\"] .preview";
	$ben->insert('a');
	$go_on->("/Ben is typing/.test($status)", $ben);
	$cat->insert('b');
	$go_on->("[$status, $preview].every((text) => /(Ben and Cat|Cat and Ben) are typing/.test(text))", $ben, $cat);
	pass 'several people at once';
	$cat->insert("c\n");
	$ann->wait_last('bc');
	$go_on->("/Ben is typing/.test($status)", $ben);
	pass 'until they have sent it';
	$ben->key('Backspace');
};

subtest 'replying, seen by' => sub {
	$ann->choose('.message.other[data-seq="5"]', 'Reply')->wait_text('.reply-bar', 'Reply to Cat')->insert("yes\n");
	$cat->wait_last('yes')->wait_text('.quote', 'hello Ben');
	$ben->wait_last('yes');
	wait_for('both to have read it', sub { my ($m) = grep { ($_->{content} // '') eq 'yes' } @{$t->api('ann')->get("/messages/conversations/$group/messages")->json->{items}};
		$t->api('ann')->get("/messages/$m->{id}/receipts")->json->{read_count} == 2 });
	$ann->wait_stored('yes')->choose('.message.own:last-child', 'Seen by')->wait_count('.dialog .person', 2)->wait_text('.dialog [role=status]', 'Seen by 2');
	pass 'who has seen it';
	$ann->key('Escape')->wait_gone('.dialog');
};

subtest 'seen while one looks' => sub {
	$_->value(q{location.hash = '#/'; 0}) for $ben, $cat;
	$_->wait_value(q{!document.querySelector('.chat[aria-current]')}) for $ben, $cat;
	$ann->say_text('who sees it?')->wait_last('who sees it?')->wait_value(q{[...document.querySelectorAll('.message')].at(-1).querySelector('.ticks.sent')});
	$ann->choose('.message.own:last-child', 'Seen by')->wait_text('.dialog [role=status]', 'Nobody has seen it yet');
	$cat->open_group($group)->wait_last('who sees it?');
	$ann->wait_text('.dialog .person', 'Cat')->wait_text('.dialog [role=status]', 'Seen by 1');
	pass 'the list follows';
	$ann->key('Escape')->wait_gone('.dialog')->wait_value(q{[...document.querySelectorAll('.message')].at(-1).querySelector('.ticks.read')});
	$ben->open_group($group)->wait_last('who sees it?');
};

subtest 'seen by one who has left since' => sub {
	my $other = $web->group('Runners', 'ann', [qw(ben cat)]);
	my $asked = $ann->value(q{performance.getEntriesByType('resource').filter(({name}) => name.includes('/receipts')).length});
	$ann->open_group($other)->say_text('to you all')->wait_value(q{document.querySelector('.message.own .ticks.sent')});
	$web->say_in('cat', $other, 'seen');
	$ann->wait_last('seen');
	$t->api('cat')->delete("/groups/$other/members/cat");
	$ann->wait_value(q{document.querySelector('.system:last-child')?.textContent.includes('Cat left')});
	$web->say_in('ben', $other, 'a');
	$ann->wait_text(".chat[data-group='$other'] .preview", 'Ben: a');
	is $ann->value("(() => { const e = document.querySelector('.chat[data-group=\"$other\"] .preview-sender'); return e.scrollWidth > e.clientWidth; })()"), JSON::PP::false, 'a short name is not cut off before a short text';
	$ann->choose('.message.own', 'Seen by')->wait_text('.dialog [role=status]', 'Seen by 1');
	for my $n (1 .. 8) { $web->say_in('ben', $other, "meanwhile $n"); $ann->wait_last("meanwhile $n") }
	cmp_ok $ann->value(q{performance.getEntriesByType('resource').filter(({name}) => name.includes('/receipts')).length}), '<=', $asked + 3,
		'they are not asked for at each change';
	$ann->key('Escape')->wait_gone('.dialog')->open_group($group);
};

subtest 'recalling' => sub {
	$ben->say_text('a mistake');
	$_->wait_last('a mistake') for $ann, $cat;
	$cat->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Delete');
	is $cat->value(q{[...document.querySelectorAll('[role=menuitem]')].filter((e) => e.textContent === 'Recall').length}), 0, 'a member cannot recall another\'s';
	$cat->key('Escape');
	$ann->choose('.message:last-child', 'Recall');
	$_->wait_text('.message.recalled .text', 'Ann recalled this message') for $ben, $cat;
	$ann->wait_text('.message.recalled .text', 'You recalled this message');
	pass 'the owner can, and all are told who did';
	$cat->reload->wait_online->wait_text('.message.recalled .text', 'This message was recalled');
};

subtest 'drafts, and who has no name here' => sub {
	$t->dbh->do('DELETE FROM friendships WHERE user_id = ? OR friend_id = ?', undef, 'cat', 'cat');
	$t->dbh->do('UPDATE users SET nickname = ?, avatar_url = ? WHERE id = ?', undef, "Kitty\x{202e}", $web->address . '/icon.svg?cat', 'cat');
	$ben->type('#compose', 'unfinished');
	$ben->value(q{location.hash = '#/'; 0});
	$ben->wait_text('.chat .preview', 'unfinished');
	$ben->reload->wait_online->open_group($group);
	is $ben->value(q{document.querySelector('#compose').value}), 'unfinished', 'a draft is kept';
	$ben->wait_text('.sender', 'Kitty');
	is $ben->value(q{document.querySelector('.sender-picture img') === null}), JSON::PP::true, 'a member who is no friend has a name, and a picture that is not loaded';
};

is_deeply [map { $_->own_faults } $ann, $ben, $cat], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
