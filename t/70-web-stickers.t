# SPDX-License-Identifier: BSD-2-Clause
# Proves stickers on the chat page: packs that one browses, installs and takes away; sending one by a click and by keyboard;
# how they are shown on both sides, in the list and in quotes; those sent last; what is left where a picture does not come.
use utf8;
use Tidings;
use Tidings::Pack qw(png write_pack);
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});
my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$ann->open_chat('ben');
$ben->open_chat('ann');
my $button = '.composer button[aria-haspopup=dialog]';
sub open_stickers { my ($page) = @_; return $page->click($button)->click('#expressions-tab-stickers') }
sub stickers { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.sticker-grid [data-sticker]')].map((e) => e.dataset.sticker)}) }
my $last = q{[...document.querySelectorAll('.message')].at(-1)};
sub wait_sticker { my ($page, $emoji) = @_; $page->wait_value("$last.querySelector('.sticker img')?.alt === '$emoji' && $last.querySelector('.sticker img').naturalWidth > 0"); return $page }

subtest 'packs' => sub {
	open_stickers($ann)->wait_text('.sticker-grid', 'You have no stickers yet.');
	$ann->click('.sticker-grid .primary')->wait_text('.dialog', 'This server has no stickers.')->key('Escape')->wait_gone('dialog');
	$t->node->ctl_ok('stickers', 'import', Tidings::top() . '/contrib/stickers/tide');
	$t->node->ctl_ok('stickers', 'import', write_pack(Tidings::dir() . '/moods', id => 'moods', title => "Mo\x{202e}ods", files => {'a.png' => png(0xff8800)},
		stickers => [map { ["s$_", 'a.png', '🙂'] } 1 .. 9]));
	open_stickers($ann)->wait_value(q{document.querySelector('.sticker-grid .primary')});
	$ann->click('.browse-packs')->wait_count('.pack', 2);
	is_deeply $ann->value(q{[...document.querySelectorAll('.pack')].map((e) => e.querySelector('.name').textContent + ', ' + e.querySelector('small').textContent + ', ' + e.querySelectorAll('img').length)}),
		['Moods, 9 stickers, 6', 'Tide, 8 stickers, 6'], 'are listed, and names cannot deceive';
	$ann->click('[data-pack=tide] .primary')->wait_text('[data-pack=tide] .quiet', 'Remove')->click('[data-pack=moods] .primary')->wait_text('[data-pack=moods] .quiet', 'Remove');
	is $ann->value('document.activeElement.getAttribute("aria-label")'), 'Remove the pack Moods', 'installed';
	$ann->key('Escape')->wait_gone('dialog');
	open_stickers($ann)->wait_count('[data-sticker]', 17);
	is_deeply [@{stickers($ann)}[0, 9]], ['moods s1', 'tide happy'], 'and at hand, the one installed last first';
	is_deeply $ann->value(q{[...document.querySelectorAll('.pack-tabs button')].map((e) => e.title)}), ['Moods', 'Tide'], 'each is reached at once';
	$ann->click('.browse-packs')->click('[data-pack=moods] .quiet')->wait_text('[data-pack=moods] .primary', 'Add')->key('Escape')->wait_gone('dialog');
	open_stickers($ann)->wait_count('[data-sticker]', 8);
	pass 'one is taken away';
	is_deeply [map { $_->{id} } @{$t->api('ann')->get('/stickers/installed')->json->{items}}], ['tide'], 'the server knows it';
};

subtest 'sending' => sub {
	$ann->click('[data-sticker="tide love"]')->wait_gone('.expressions');
	wait_sticker($_, '😍') for $ann, $ben;
	my $m = $t->api('ann')->get('/messages/conversations')->json->{items}[0]{last_message};
	is_deeply [@$m{qw(message_type content)}, $m->{extra}], ['sticker', undef, {pack => 'tide', sticker => 'love', emoji => '😍'}], 'by a click';
	is $ann->value('document.activeElement.id'), 'compose', 'and one writes on';
	is $ann->value("getComputedStyle($last.querySelector('.bubble')).backgroundColor"), 'rgba(0, 0, 0, 0)', 'without a bubble';
	$ben->wait_text('.chat[data-user=ann] .preview', '[Sticker] 😍');
	pass 'the list says what it is';
	$ben->click("$button")->wait_value(q{document.querySelector('.emoji-picker [data-emoji]')});
	$ben->key('Escape')->choose('.message:last-child', 'Show the pack')->wait_count('.pack img', 8);
	$ben->click('.pack .primary')->wait_text('.pack .quiet', 'Remove')->key('Escape')->wait_gone('dialog');
	pass 'its pack can be looked at and installed';
	$ben->choose('.message:last-child', 'Reply');
	open_stickers($ben)->wait_count('[data-sticker]', 8);
	$ben->wait_value(q{document.activeElement.dataset.sticker === 'tide happy'});
	$ben->key('ArrowDown', 'ArrowRight');
	is $ben->value('document.activeElement.dataset.sticker'), stickers($ben)->[5], 'by keyboard';
	$ben->key('Home', 'ArrowUp', 'Enter')->wait_gone('.expressions');
	wait_sticker($ann, '😀');
	is $ann->value("$last.querySelector('.quote').textContent"), 'You[Sticker] 😍', 'as a reply';
	$ann->click('.message:last-child .more')->wait_text('[role=menuitem]', 'Reply');
	is_deeply $ann->value(q{[...document.querySelectorAll('[role=menuitem]')].map((e) => e.textContent).filter((x) => /Edit|Copy/.test(x))}), [], 'there is no text to copy or edit';
	$ann->key('Escape')->type('#compose', 'half a text');
	open_stickers($ann)->wait_count('[data-sticker]', 9);
	is stickers($ann)->[0], 'tide love', 'those sent last come first';
	$ann->click('[data-sticker="tide wink"]');
	wait_sticker($ben, '😉');
	is $ann->value(q{document.querySelector('#compose').value}), 'half a text', 'what was being written stays';
	my $sent = $t->api('ann')->get('/messages/conversations')->json->{items}[0]{last_message};
	$t->api('ann')->put("/messages/$sent->{id}/recall");
	$_->wait_text('.message:last-child .text', 'recalled') for $ann, $ben;
	is $ben->value("$last.querySelectorAll('.sticker').length"), 0, 'a recalled one is gone';
	$ann->value(q{(() => {const c = document.querySelector('#compose'); c.value = ''; c.dispatchEvent(new Event('input')); return 0})()});
};

subtest 'a picture that does not come' => sub {
	my $m = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'sticker', extra => {pack => 'tide', sticker => 'sad'}})->json;
	wait_sticker($ann, '😢');
	$t->dbh->do('UPDATE messages SET media_url = ? WHERE id = ?', undef, '/stickers/pictures/tide/00000000000000000000000000000000.png', $m->{id});
	$ann->reload->wait_online;
	$ann->wait_value("$last.querySelector('.sticker-emoji')?.textContent === '😢'");
	pass 'its emoji is shown';
};

subtest 'a phone, in Chinese' => sub {
	my $phone = $web->enter('ben', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->open_chat('ann');
	open_stickers($phone)->wait_count('[data-sticker]', 8);
	ok $phone->value(q{(() => {const r = document.querySelector('.expressions').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight})()}), 'it has room';
	my @nameless = grep { $_->[1] eq '' } $phone->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	$phone->click('[data-sticker="tide happy"]');
	wait_sticker($ann, '😀');
	$phone->wait_value("$last.querySelector('.ticks.read')");
	$phone->press('.message:last-child .bubble')->wait_value(q{document.querySelector('.bubble.pressed')});
	$phone->release->wait_text('[role=menuitem]', '查看贴纸包');
	pass 'a finger that rests on it opens the menu';
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [grep { !/404/ } map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
