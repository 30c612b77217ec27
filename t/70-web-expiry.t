# SPDX-License-Identifier: BSD-2-Clause
# Proves messages that disappear on the chat page: a mark with the time, and when it has come other words than those of a
# recall, on both sides, in the list and in quotes, also after an absence; and the setting of a conversation.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->send_text('ann', 'ben', 'it stays');
my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$ann->open_chat('ben')->wait_last('it stays');

my $gone = 'This message has disappeared';

subtest 'one that disappears' => sub {
	my $soon = $t->send_text('ben', 'ann', 'soon gone', expires_in => 3600);
	$ann->wait_last('soon gone')->wait_value(q{document.querySelector('.message:last-child .foot .sign')?.title.startsWith('Disappears ')});
	pass 'a mark tells when';
	is $ann->count('.message:not(:last-child) .foot .sign'), 0, 'of no other';
	$t->send_text('ann', 'ben', 'read it?', reply_to => $soon->{id});
	$ann->wait_text('.quote', 'soon gone');
	$t->make_due($soon->{id});
	$ann->wait_text(qq{.message[data-id="$soon->{id}"].recalled .text}, $gone)->wait_text('.quote', $gone);
	pass 'then it is gone, in quotes too, and says why';
	is $ann->value(qq{document.querySelector('.message[data-id="$soon->{id}"] .foot .sign')}), undef, 'the mark too';
	my $last = $t->send_text('ben', 'ann', 'and this', expires_in => 3600);
	$ben->wait_text('.chat[data-user=ann] .preview', 'and this');
	$t->make_due($last->{id});
	$ben->wait_text('.chat[data-user=ann] .preview', $gone);
	pass 'in the list as well, for who sent it too';
};

subtest 'after an absence' => sub {
	my $m = $t->send_text('ben', 'ann', 'before the silence', expires_in => 5);
	$t->dbh->do('DELETE FROM expiries WHERE message_id = ?', undef, $m->{id}); # its time does not come before the silence
	$ann->wait_last('before the silence');
	$web->browser->cut(1);
	$ann->wait_value(q{!document.querySelector('.mine .dot.online')});
	$t->dbh->do('INSERT INTO expiries (expires_at, message_id) SELECT expires_at, id FROM messages WHERE id = ?', undef, $m->{id});
	wait_for('it to be recalled', sub { $t->api('ann')->get("/messages/$m->{id}")->json->{is_recalled} });
	$web->browser->cut(0);
	$ann->wait_online->wait_text(qq{.message[data-id="$m->{id}"] .text}, $gone);
	pass 'it has disappeared';
	my $recalled = $t->send_text('ben', 'ann', 'recalled before', expires_in => 3600);
	$ann->wait_last('recalled before');
	$t->api('ben')->put("/messages/$recalled->{id}/recall");
	$ann->wait_text(qq{.message[data-id="$recalled->{id}"] .text}, 'This message was recalled');
	pass 'what is recalled before its time was recalled';
};

subtest 'the setting of a conversation' => sub {
	$ann->choose('.room-header', 'Disappearing messages')->wait_value(q{document.querySelector('dialog')});
	is_deeply $ann->value(q{[...document.querySelectorAll('dialog .choice')].map((e) => [e.textContent, e.querySelector('input').checked])}),
		[['Off', JSON::PP::true], map { [$_, JSON::PP::false] } '1 minute', '1 hour', '1 day', '7 days'], 'off at first';
	$ann->click('dialog .choice', '1 day')->click('dialog .primary');
	$ann->wait_value(q{document.querySelector('.room-title .sign')?.title === 'Messages disappear after 1 day'});
	$ben->open_chat('ann')->wait_value(q{document.querySelector('.room-title .sign')?.title === 'Messages disappear after 1 day'});
	pass 'both sides see it';
	$ann->say_text('gone tomorrow')->wait_last('gone tomorrow')->wait_value(q{document.querySelector('.message:last-child .foot .sign')?.title.startsWith('Disappears ')});
	pass 'messages have it from then on';
	$ben->choose('.room-header', 'Disappearing messages')->wait_value(q{document.querySelector('dialog .choice:has(:checked)').textContent === '1 day'});
	$ben->click('dialog .choice', 'Off')->click('dialog .primary')->wait_gone('.room-title .sign');
	$ann->wait_gone('.room-title .sign');
	pass 'either may set it';
	my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
	$ben->open_group($group)->click('.room-header .more')->wait_text('[role=menuitem]', 'Mute');
	is $ben->value(q{[...document.querySelectorAll('[role=menuitem]')].filter((e) => e.textContent.startsWith('Disappearing')).length}), 0, 'of a group not a member';
	$ben->key('Escape');
	$ann->open_group($group)->choose('.room-header', 'Disappearing messages')->click('dialog .choice', '1 minute')->click('dialog .primary');
	$ben->wait_value(q{document.querySelector('.room-title .sign')?.title === 'Messages disappear after 1 minute'});
	pass 'but an admin';
};

is_deeply [grep { !/\AWebSocket connection to .* failed|net::ERR_/ } map { $_->own_faults } $ann, $ben], [], 'no error in the consoles';
$web->stop;
done_testing;
