# SPDX-License-Identifier: BSD-2-Clause
# Proves reactions and pinned messages on the chat page: by a click, from the menu, from the picker, by keyboard; what the
# other side and other sessions see; who has reacted; what is refused; that nothing else is drawn anew; absences; the bar of
# what is pinned, in a direct conversation and in a group.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});
my $json = JSON::PP->new->allow_nonref;
my %path = map { my $e = $_; utf8::encode(my $bytes = $e); $e => join '', map { sprintf '%%%02X', $_ } unpack 'C*', $bytes } qw(👍 🎉 ❤️ 🍕 😂);

sub react { my ($user, $m, $emoji, $how) = @_; $how //= 'put'; my $r = $t->api($user)->$how("/messages/$m->{id}/reactions/$path{$emoji}"); die $r->body if $r->status != 200; return }
# [emoji and count, own] of each kind under the message.
sub chips { my ($page, $m) = @_; return $page->value("[...document.querySelectorAll('.message[data-id=\"$m->{id}\"] .reaction[data-emoji]')].map((e) => e.textContent + (e.getAttribute('aria-pressed') === 'true' ? ' own' : ''))") }
sub wait_chips {
	my ($page, $m, @wanted) = @_;
	wait_for("@wanted", sub { my $got = chips($page, $m); "@$got" eq "@wanted" });
	return $page;
}
# The page shows a change before the server has made it.
sub wait_told {
	my ($m, $user, @wanted) = @_;
	wait_for("the server to have @wanted", sub { join(' ', map { $_->{emoji} } @{$t->api('fan1')->get("/messages/$m->{id}/reactions?user_id=$user")->json->{items}}) eq "@wanted" });
	return;
}
sub row { my ($m) = @_; return ".message[data-id='$m->{id}']" }

my @m = map { $t->send_text('ben', 'ann', $_) } 'hi', 'Shall we walk on Sunday?', 'or Saturday?';
my ($ann, $ann2, $ben) = map { $web->enter($_) } qw(ann ann ben);
$_->open_chat('ben') for $ann, $ann2;
$ben->open_chat('ann');

subtest 'reacting' => sub {
	react('ben', $m[1], '🎉');
	wait_chips($_, $m[1], '🎉1') for $ann, $ann2;
	wait_chips($ben, $m[1], '🎉1 own');
	pass 'everybody sees it, and whose it is';
	is $ann->value(q{document.querySelector('.reaction').title}), '🎉: Ben', 'and who it was';
	$ann->click(row($m[1]) . ' .reaction[data-emoji="🎉"]');
	wait_chips($_, $m[1], '🎉2 own') for $ann, $ann2, $ben;
	is $ben->value(q{document.querySelector('.reaction').getAttribute('aria-label')}), '🎉: You and Ann', 'a screen reader is told, too';
	$ann->choose(row($m[1]), 'Who has reacted')->wait_count('.reactions-dialog .person', 2);
	is_deeply $ann->value(q{[...document.querySelectorAll('.reactions-dialog .person')].map((e) => e.querySelector('.name').textContent + e.querySelector('.reaction-emoji').textContent)}), ['Ben🎉', 'You🎉'], 'a dialog says who';
	react('ben', $m[1], '👍');
	$ann->wait_count('.reactions-dialog .person', 3)->click('.reactions-dialog [data-kind="👍"]')->wait_count('.reactions-dialog .person', 1);
	pass 'it follows, and shows one kind alone';
	$ann->key('Escape')->wait_gone('.reactions-dialog');
	$ann->click(row($m[1]) . ' .reaction[data-emoji="🎉"]');
	wait_chips($_, $m[1], '🎉1', '👍1') for $ann, $ann2;
	pass 'a second click takes it back';
	react('ben', $m[1], $_, 'delete') for '🎉', '👍';
	wait_chips($_, $m[1]) for $ann, $ben;
	$ann->wait_gone('.reactions');
};

subtest 'from the menu, and any emoji' => sub {
	$ann->click(row($m[0]) . ' .more')->wait_text('[role=menuitem]', 'Reply');
	is $ann->value('document.activeElement.textContent'), 'Reply', 'the menu begins where it did';
	is_deeply $ann->value(q{[...document.querySelectorAll('.quick [role=menuitemcheckbox]')].map((e) => e.textContent + e.getAttribute('aria-checked'))}),
		[map { "${_}false" } qw(👍 ❤️ 😂 😮 😢 🙏)], 'with common ones';
	$ann->key('ArrowUp', 'ArrowRight', 'Enter');
	wait_chips($_, $m[0], '❤️1 own') for $ann, $ann2;
	pass 'by keyboard';
	wait_for('the focus', sub { $ann->value('document.activeElement.dataset.id ?? document.activeElement.className') =~ /$m[0]{id}|more/ });
	$ann->click(row($m[0]) . ' .more')->click('.quick button[aria-label^="Other"]')->wait_value(q{document.querySelector('.emoji-picker [data-emoji]')});
	$ann->insert('pizza')->wait_value(q{document.querySelector('.emoji-grid [data-emoji]').dataset.emoji === '🍕'});
	$ann->key('Enter')->wait_gone('.expressions');
	wait_chips($_, $m[0], '❤️1 own', '🍕1 own') for $ann, $ann2;
	pass 'from the picker';
	$ann->click(row($m[0]) . ' .more')->wait_text('[role=menuitem]', 'Reply');
	is_deeply $ann->value(q{[...document.querySelectorAll('.quick [aria-checked=true]')].map((e) => e.textContent)}), ['❤️', '🍕'], 'the menu shows one\'s own, other kinds too';
	$ann->click('.quick button', '🍕');
	wait_chips($ann, $m[0], '❤️1 own');
	$ann->hover(row($m[0]))->click(row($m[0]) . ' .reaction.add')->wait_value(q{document.querySelector('.emoji-picker [data-emoji]')});
	$ann->click('[data-emoji="😂"]');
	wait_chips($_, $m[0], '❤️1 own', '😂1 own') for $ann, $ann2;
	pass 'and from the button beside them';
};

subtest 'only the reactions are drawn anew' => sub {
	my $image = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'image', media_url => $web->address . '/icon.svg'})->json;
	$ann->wait_value("document.querySelector('" . row($image) =~ s/'/"/gr . " img')?.complete");
	$ann->value("window.before = document.querySelector('[data-id=\"$image->{id}\"] img'); 0");
	react('ben', $image, '👍');
	wait_chips($ann, $image, '👍1');
	ok $ann->value("window.before === document.querySelector('[data-id=\"$image->{id}\"] img')"), 'the picture is the same';
	$ann->value("document.querySelector('[data-id=\"$image->{id}\"] .reaction').focus(); 0");
	$ann->key('Enter');
	wait_chips($ann, $image, '👍2 own');
	is $ann->value('document.activeElement.dataset.emoji'), '👍', 'and the focus stays';
	wait_chips($ben, $image, '👍2 own'); # or the recall would come before it
	$t->api('ben')->put("/messages/$image->{id}/recall");
	$ann->wait_value("document.querySelector('[data-id=\"$image->{id}\"]').matches('.recalled')");
	is_deeply chips($ann, $image), [], 'a recalled message has none';
};

subtest 'what is refused' => sub {
	$t->dbh->do('UPDATE friendships SET blocked = 1 WHERE user_id = ? AND friend_id = ?', undef, qw(ben ann));
	$ann->click(row($m[0]) . ' .more')->click('.quick button', '👍')->wait_value(q{document.querySelector('.note')});
	wait_chips($ann, $m[0], '❤️1 own', '😂1 own');
	pass 'is undone, and the reason said';
	$t->dbh->do('UPDATE friendships SET blocked = 0 WHERE user_id = ? AND friend_id = ?', undef, qw(ben ann));
};

subtest 'more than are named' => sub {
	my @crowd = map { "fan$_" } 1 .. 6;
	$t->befriend('ann', $_) for @crowd;
	my $g = $web->group('Fans', 'ann', \@crowd);
	my ($theirs, $both) = map { $web->say_in('ann', $g, $_) } 'first', 'second';
	for my $user (@crowd) { react($user, $_, '🎉') for $theirs, $both }
	react('ann', $both, '🎉');
	$ann2->reload->wait_online->open_group($g);
	wait_chips($ann2, $theirs, '🎉6');
	wait_chips($ann2, $both, '🎉7 own');
	pass 'one sees which is one\'s own';
	$ann2->click(row($both) . ' .reaction[data-emoji="🎉"]');
	wait_chips($ann2, $both, '🎉6');
	wait_told($both, 'ann');
	pass 'a click takes it back';
	$ann2->click(row($theirs) . ' .reaction[data-emoji="🎉"]');
	wait_chips($ann2, $theirs, '🎉7 own');
	wait_told($theirs, 'ann', '🎉');
	pass 'or adds one';
	$ann2->open_chat('ben');
};

subtest 'after an absence' => sub {
	$web->browser->cut(1);
	$ann->wait_value(q{!document.querySelector('.mine .dot.online')});
	react('ben', $m[2], '🎉');
	react('ben', $m[0], '❤️');
	$web->browser->cut(0);
	$_->wait_online for $ann, $ann2, $ben;
	wait_chips($ann, $m[2], '🎉1');
	wait_chips($ann, $m[0], '❤️2 own', '😂1 own');
	pass 'what was done meanwhile is seen';
	$ann->reload->wait_online;
	wait_chips($ann, $m[0], '❤️2 own', '😂1 own');
	pass 'and in history';
};

my $bar = q{(document.querySelector('.pin-bar').checkVisibility() ? document.querySelector('.pin-text').textContent : '')};
sub wait_bar { my ($page, $text) = @_; my $x = $json->encode($text); $page->wait_value("$bar === $x"); return $page }

subtest 'pinned messages' => sub {
	$ann->choose(row($m[0]), 'Pin');
	wait_bar($_, 'Pinned messagehi') for $ann, $ann2, $ben;
	pass 'both sides see it';
	ok $ann->value(q{document.querySelector('.unpin').checkVisibility() && !document.querySelector('.pin-list').checkVisibility()}), 'of one alone there is no list';
	$ben->choose(row($m[1]), 'Pin');
	wait_bar($_, 'Pinned messageShall we walk on Sunday?') for $ann, $ben;
	$ann->wait_text('.pin-list .badge', '2');
	pass 'the newest is shown, and how many there are';
	$t->send_text('ben', 'ann', "line $_") for 1 .. 30;
	$ann->wait_last('line 30')->click('.pin-about')->wait_value("document.activeElement.dataset.id === '$m[1]{id}'");
	pass 'a click leads to it';
	$ann->click('.pin-list')->wait_count('.pinned li', 2);
	is_deeply $ann->value(q{[...document.querySelectorAll('.pinned-message')].map((e) => e.querySelector('strong').textContent + ': ' + e.lastElementChild.textContent)}),
		['Ben: Shall we walk on Sunday?', 'Ben: hi'], 'all of them are listed';
	$ben->choose(row($m[2]), 'Pin');
	$ann->wait_count('.pinned li', 3);
	pass 'the list follows';
	$ann->click('.pinned li:first-child .quiet')->wait_count('.pinned li', 2);
	wait_bar($ben, 'Pinned messageShall we walk on Sunday?');
	pass 'either side unpins';
	$ann->click('.pinned li:last-child .pinned-message')->wait_gone('dialog')->wait_value("document.activeElement.dataset.id === '$m[0]{id}'");
	pass 'and one goes to any of them';
	$t->api('ben')->put("/messages/$m[1]{id}", {content => 'Or shall we sail?'});
	wait_bar($_, 'Pinned messageOr shall we sail?') for $ann, $ben;
	$t->dbh->do('UPDATE messages SET created_at = UTC_TIMESTAMP(3) WHERE id = ?', undef, $m[1]{id});
	$t->api('ben')->put("/messages/$m[1]{id}/recall");
	wait_bar($_, 'Pinned messagehi') for $ann, $ben;
	pass 'edits and recalls are seen there';
	$ann->choose(row($m[0]), 'Unpin');
	wait_bar($_, '') for $ann, $ann2, $ben;
	pass 'nothing is left';
};

subtest 'in a group' => sub {
	my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
	my $said = $web->say_in('cat', $group, 'meet at nine');
	$ann->open_group($group)->wait_last('meet at nine');
	$ben->open_group($group)->wait_last('meet at nine');
	$ben->click(row($said) . ' .more')->wait_text('[role=menuitem]', 'Reply');
	is $ben->value(q{[...document.querySelectorAll('[role=menuitem]')].filter((e) => e.textContent === 'Pin').length}), 0, 'a member cannot pin';
	$ben->click('.quick button', '👍');
	wait_chips($ann, $said, '👍1');
	react('cat', $said, '👍');
	wait_chips($ann, $said, '👍2');
	is $ann->value("document.querySelector('[data-id=\"$said->{id}\"] .reaction').title"), '👍: Ben and Cat', 'names of members';
	$ann->choose(row($said), 'Pin');
	wait_bar($_, 'Pinned messagemeet at nine') for $ann, $ben;
	ok !$ben->value(q{document.querySelector('.unpin').checkVisibility()}), 'nor unpin';
	ok $ann->value(q{document.querySelector('.unpin').checkVisibility()}), 'an admin can';
	$t->api('ann')->put("/groups/$group/members/ben", {muted_until => '2099-01-01T00:00:00.000Z'});
	$ben->reload->wait_online->wait_text('.room-notice', 'muted')->wait_last('meet at nine');
	ok $ben->value("document.querySelector('[data-id=\"$said->{id}\"] .reaction').checkVisibility()"), 'who is muted sees them';
	$ben->click(row($said) . ' .more')->wait_text('[role=menuitem]', 'Copy');
	is $ben->value(q{document.querySelectorAll('.quick').length}), 0, 'and adds none';
	$ben->key('Escape');
	$ann->click('.unpin');
	wait_bar($_, '') for $ann, $ben;
};

subtest 'a phone' => sub {
	my $cat = $web->enter('cat', width => 360, height => 640, mobile => 1);
	$t->api('cat')->post('/messages/conversations/create', {user_id => 'ann'});
	my $m = $t->send_text('ann', 'cat', 'Can you come, too? There will be cake, and a long way through the woods.');
	$cat->open_chat('ann')->wait_last($m->{content});
	$cat->press(row($m) . ' .text')->wait_value(q{document.querySelector('.bubble.pressed')});
	$cat->release->click('.quick button', '👍');
	wait_chips($cat, $m, '👍1 own');
	ok $cat->value(q{document.querySelector('.rows').scrollWidth <= innerWidth}), 'it has room';
	$cat->click(row($m) . ' .reaction[data-emoji="👍"]');
	wait_chips($cat, $m);
	pass 'touched';
	my @nameless = grep { $_->[1] eq '' } $cat->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	is_deeply [$cat->own_faults], [], 'no fault';
};

is_deeply [grep { !/\AWebSocket connection to .* failed|net::ERR_/ } map { $_->own_faults } $ann, $ann2, $ben], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
