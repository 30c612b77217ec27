# SPDX-License-Identifier: BSD-2-Clause
# Proves groups on the chat page for other hands and eyes: with the keyboard alone, for a screen reader, on a phone, and
# in Chinese.
use Tidings;
use Tidings::Web;
use utf8;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->befriend(qw(ben dan));
$t->dbh->do('UPDATE users SET nickname = ? WHERE id = ?', undef, 'W' x 64, 'dan');
my $english = q{ Object.defineProperty(navigator, 'languages', {get: () => ['en-GB']}); };
my $chinese = q{ Object.defineProperty(navigator, 'languages', {get: () => ['zh-CN']}); };
my $group;

# Tab until that has the focus.
sub tab_to {
	my ($page, $selector) = @_;
	for (1 .. 60) {
		return $page if $page->value("document.activeElement.matches('$selector')");
		$page->key('Tab');
	}
	die "the keyboard does not reach $selector\n";
}

subtest 'with the keyboard alone' => sub {
	my $ann = $web->enter('ann', before => $english);
	tab_to($ann, '.new-group')->key('Enter')->insert('Walkers');
	$ann->wait_count('.picks li', 2);
	tab_to($ann, '.picks [value=ben]')->key('Space');
	tab_to($ann, '.picks [value=cat]')->key('Space')->wait_count('.chip', 2);
	tab_to($ann, '.dialog .primary')->key('Enter')->wait_gone('.dialog')->wait_text('.room-title h2', 'Walkers');
	$group = $ann->value(q{document.querySelector('.chat[aria-current]').dataset.group});
	is $ann->value('document.activeElement.id'), 'compose', 'made, and the focus is where one writes';
	$ann->insert("hello\n")->wait_last('hello')->wait_value(q{document.querySelector('.ticks.sent')});
	$web->say_in('ben', $group, 'hi Ann');
	$ann->wait_last('hi Ann');
	tab_to($ann, '.timeline')->key('ArrowUp');
	$ann->wait_value(q{document.activeElement.textContent.includes('hi Ann')});
	$ann->key('ArrowUp', 'ArrowUp');
	$ann->wait_value(q{document.activeElement.matches('.system') && document.activeElement.textContent.includes('You created')});
	pass 'what happened is reached like a message';
	$ann->key('Enter');
	is $ann->count('.menu'), 0, 'and has no menu';
	$ann->key('ArrowDown', 'ArrowDown', 'Enter')->wait_text('[role=menuitem]', 'Reply');
	$ann->key('End', 'ArrowUp', 'ArrowUp');
	$ann->wait_value(q{document.activeElement.textContent.includes('Ben: profile')});
	$ann->key('Enter')->wait_text('.menu-person .name', 'Ben');
	$ann->wait_value(q{document.activeElement.textContent === 'Mention'});
	$ann->key('Enter')->wait_value(q{document.querySelector('#compose').value === '@Ben ' && document.activeElement.id === 'compose'});
	pass 'a person is mentioned from their message';
	$ann->insert("thanks\n")->wait_last('@Ben thanks');
	tab_to($ann, '.group-info')->key('Enter')->wait_value(q{document.activeElement.dataset.tab === 'members'});
	$ann->wait_count('.members li', 3)->key('ArrowRight')->wait_value(q{document.activeElement.dataset.tab === 'invites'});
	$ann->key('ArrowLeft', 'ArrowLeft')->wait_value(q{document.activeElement.dataset.tab === 'settings'});
	$ann->key('ArrowRight')->wait_value(q{document.activeElement.dataset.tab === 'members'});
	tab_to($ann, '.members [data-user=cat] .more')->key('Enter')->wait_text('.menu', 'Remove and ban');
	$ann->key('End', 'ArrowUp', 'Enter')->wait_text('.ask', 'Remove Cat');
	tab_to($ann, '.ask .danger')->key('Enter')->wait_gone('.members [data-user=cat]');
	$ann->wait_value(q{document.querySelector('.group-dialog').contains(document.activeElement)});
	pass 'a member is removed, and the focus stays in the dialog';
	my @nameless = grep { $_->[1] eq '' } $ann->accessible;
	is_deeply \@nameless, [], 'everything that can be operated has a name' or diag explain \@nameless;
	$ann->key('Escape')->wait_gone('.group-dialog')->wait_value(q{document.activeElement.matches('.group-info')});
	pass 'closed, the focus is where it was';
	$t->api('ann')->post("/groups/$group/members", {user_ids => ['cat']});
	is_deeply [$ann->own_faults], [], 'no error in the console';
	$ann->close;
};

subtest 'on a phone' => sub {
	my $ben = $web->enter('ben', before => $english, width => 390, height => 844, mobile => 1);
	$ben->wait_text('.chat .mentions', '@')->click(".chat[data-group='$group']")->wait_text('.message .mention', '@Ben');
	my $inside = q{document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll('.message .bubble, .room-header, .composer')].every((e) => e.getBoundingClientRect().right <= innerWidth && e.getBoundingClientRect().left >= 0)};
	ok $ben->value($inside), 'all fits';
	$ben->type('#compose', '@an')->click('.mention-list [data-user=ann]')->wait_value(q{document.querySelector('#compose').value === '@Ann '});
	$ben->click('.send')->wait_text('.message.own .mention', '@Ann');
	pass 'a finger completes a mention';
	$ben->click('.group-info')->wait_count('.members li', 3);
	is_deeply $ben->value(q{(({left, right, top, bottom}) => [left, right === innerWidth, top, bottom === innerHeight])(document.querySelector('.group-dialog').getBoundingClientRect())}),
		[0, JSON::PP::true, 0, JSON::PP::true], 'what there is about the group takes the whole screen';
	for my $tab (qw(invites settings members)) {
		$ben->click("[data-tab=$tab]");
		ok $ben->value(q{[...document.querySelectorAll('.group-dialog button, .group-dialog input, .group-dialog select')].filter((e) => e.checkVisibility()).every((e) => { const r = e.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth; })}), "$tab: nothing is cut off";
	}
	$ben->close_panel->click('.room-header .back')->wait_value(q{document.querySelector('.chat').checkVisibility()});
	$ben->click('.new-group')->wait_value(q{document.querySelector('.dialog .primary').checkVisibility()});
	$ben->click('.picks [data-user=dan]')->wait_count('.chip', 1);
	ok $ben->value(q{(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector('.dialog'))}), 'a long name does not make a dialog wider';
	is_deeply [$ben->own_faults], [], 'no error in the console';
	$ben->close;
	my $ann = $web->enter('ann', before => $english, width => 390, height => 844, mobile => 1);
	$ann->click(".chat[data-group='$group']")->open_panel('invites');
	ok $ann->value(q{(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector('.group-tabs'))}), 'an admin sees all tabs';
	$ann->click('.row-form .primary')->wait_count('.invite', 1);
	ok $ann->value(q{document.querySelector('.invite-link').offsetWidth > 0.9 * document.querySelector('.invites').clientWidth}), 'and a link has a line of its own';
	$ann->close;
};

subtest 'in Chinese' => sub {
	my $cat = $web->enter('cat', before => $chinese);
	$cat->wait_text('.chat .preview', 'Ben：@Ann')->open_group($group);
	$cat->wait_events('Ann 创建了群聊，并邀请了您和 Ben', 'Ann 将您移出了群聊', 'Ann 邀请您加入了群聊');
	pass 'what happened';
	$cat->wait_text('.room-status', '3 位成员');
	$cat->type('#compose', '大家好@所')->wait_text('.mention-list [data-user="*"]', '所有人');
	$cat->key('Enter')->insert("！\n")->wait_last('大家好@所有人 ！');
	is $cat->value(q{document.querySelector('.message.own .mention').textContent}), '@所有人', 'everyone';
	$cat->open_panel('settings')->wait_text('.group-dialog', '谁可以发言');
	unlike $cat->value(q{document.querySelector('.group-dialog').innerText.replace(/Walkers|Ann|Ben|Cat/g, '')}), qr/[A-Za-z]{3}/, 'no English is left';
	$cat->click('[data-tab=invites]');
	unlike $cat->value(q{document.querySelector('.group-dialog').innerText.replace(/Walkers/g, '')}), qr/[A-Za-z]{3}/, 'nor for invites';
	$cat->close_panel;
	my $ann = $web->enter('ann', before => $english);
	$ann->wait_text('.chat .preview', 'Cat: 大家好@所有人')->wait_text('.chat .mentions', '@');
	$ann->open_group($group)->wait_text('.message:last-child .mention', '@所有人');
	pass 'everyone can be mentioned in any language';
	is_deeply [map { $_->own_faults } $cat, $ann], [], 'no error in the consoles';
};

$web->stop;
done_testing;
