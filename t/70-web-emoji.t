# SPDX-License-Identifier: BSD-2-Clause
# Proves the emoji picker of the chat page: found by words in two languages, by groups, by keyboard and by mouse, where
# the caret is, those used last, on a phone; and messages of emoji alone, which are large.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});
my $ann = $web->enter('ann');
$ann->open_chat('ben');

my $json = JSON::PP->new->allow_nonref;
my $field = q{document.querySelector('#compose')};
my $button = '.composer button[aria-haspopup=dialog]';
sub open_picker { my ($page) = @_; $page->click($button)->wait_value(q{document.querySelector('.emoji-picker [data-emoji]')}); return $page }
sub is_open { my ($page) = @_; return $page->value(q{document.querySelector('.expressions')?.checkVisibility() ?? false}) }
sub shown { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.emoji-grid [data-emoji]')].map((e) => e.dataset.emoji)}) }
sub active { my ($page) = @_; return $page->value(q{document.activeElement.dataset.emoji ?? document.activeElement.id}) }
sub text { my ($page) = @_; return $page->value("$field.value") }
sub wait_found { my ($page, $first) = @_; my $f = $json->encode($first); $page->wait_value("document.querySelector('.emoji-grid [data-emoji]')?.dataset.emoji === $f"); return $page }

subtest 'by keyboard' => sub {
	$ann->insert('good day')->key('ArrowLeft', 'ArrowLeft', 'ArrowLeft');
	open_picker($ann);
	is $ann->value(q{document.activeElement.getAttribute('aria-label')}), 'Search emoji', 'the search has the focus';
	cmp_ok scalar @{shown($ann)}, '>', 1800, 'all are there';
	wait_found($ann->insert('thumbs up'), '👍');
	like $ann->value(q{document.querySelector('.emoji-picker [role=status]').textContent}), qr/^\d+ emoji found$/, 'a screen reader is told how many';
	$ann->key('Enter');
	wait_for('the text', sub { text($ann) eq 'good 👍day' });
	ok !is_open($ann), 'Enter takes the first one, and closes it';
	$ann->wait_value(q{document.activeElement.id === 'compose'});
	pass 'one writes on';
	$ann->insert('! ');
	is text($ann), 'good 👍! day', 'where the caret is';
	open_picker($ann);
	is_deeply [@{shown($ann)}[0, 1]], ['👍', '😀'], 'those used last come first';
	$ann->key('ArrowDown');
	is active($ann), '👍', 'arrow down leads into the grid';
	$ann->key('PageDown', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowLeft');
	is_deeply active($ann), shown($ann)->[8], 'and the arrows through it, from line to line';
	$ann->key('Home');
	my $first = active($ann);
	$ann->key('End');
	is_deeply [$first, active($ann)], [@{shown($ann)}[1, 8]], 'to the ends of a line';
	$ann->key('Control+Home', 'ArrowUp');
	is $ann->value(q{document.activeElement.type}), 'search', 'above the first line is the search';
	$ann->key('ArrowDown')->insert('piz');
	is $ann->value(q{document.activeElement.value}), 'piz', 'what is typed in the grid goes there';
	wait_found($ann, '🍕')->key('ArrowDown', 'Shift+Enter');
	ok is_open($ann), 'with Shift it stays open';
	$ann->key('Escape')->wait_gone('.expressions');
	is $ann->value('document.activeElement.id'), 'compose', 'Escape closes it';
	is text($ann), 'good 👍! 🍕day', 'and the text is as it was';
	is_deeply [$ann->value(q{[...document.querySelectorAll('.composer button[aria-haspopup=dialog]')].map((e) => [e.getAttribute('aria-label'), e.getAttribute('aria-expanded')])})],
		[[['Emoji', 'false']]], 'the button says what it is';
};

subtest 'by mouse' => sub {
	$ann->value("$field.value = ''; $field.dispatchEvent(new Event('input')); 0");
	open_picker($ann)->click('.emoji-groups [data-group=flags]')->wait_value(q{document.querySelector('.emoji-groups [aria-current]').dataset.group === 'flags'});
	pass 'a group is shown';
	is $ann->value(q{document.querySelectorAll('.emoji-groups [aria-current]').length}), 1, 'and marked';
	$ann->click('[data-emoji="🏁"]')->click('[data-emoji="🚩"]');
	is text($ann), '🏁🚩', 'it stays open for more';
	wait_found($ann->fill('.emoji-picker input', '红心'), '❤️');
	pass 'Chinese words find it too';
	$ann->fill('.emoji-picker input', 'qqqq')->wait_text('.emoji-grid', 'No emoji found.');
	$ann->click('.room-title')->wait_gone('.expressions');
	pass 'a press beside it closes it';
	open_picker($ann)->click($button)->wait_gone('.expressions');
	pass 'and so does the button';
	open_picker($ann);
	is_deeply [@{shown($ann)}[0 .. 2]], ['🚩', '🏁', '🍕'], 'what was used last is kept';
	is $ann->value(q{document.querySelector('.emoji-picker input').value}), '', 'and the search is empty again';
	$ann->key('Escape')->wait_gone('.expressions')->key('Enter')->wait_last('🏁🚩');
};

subtest 'alone they are large' => sub {
	my $size = q{parseFloat(getComputedStyle([...document.querySelectorAll('.message .text')].at(-1)).fontSize)};
	my %size;
	for my $text ('hello 👍', '👍👍👍👍', '👍', '👍 ❤️', "👩‍👩‍👧‍👦🇩🇪👍🏽") {
		$t->send_text('ben', 'ann', $text);
		$ann->wait_last($text);
		$size{$text} = $ann->value($size);
	}
	my $usual = $size{'hello 👍'};
	is $size{'👍👍👍👍'}, $usual, 'not four of them';
	cmp_ok $size{"👩‍👩‍👧‍👦🇩🇪👍🏽"}, '>', 2 * $usual, 'three are large';
	cmp_ok $size{'👍 ❤️'}, '>', $size{"👩‍👩‍👧‍👦🇩🇪👍🏽"}, 'two larger';
	cmp_ok $size{'👍'}, '>', $size{'👍 ❤️'}, 'one the largest';
	my $bold = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'text', content => '👍', entities => [{type => 'spoiler', offset => 0, length => 2}]})->json;
	$ann->wait_value("document.querySelector('.message[data-id=\"$bold->{id}\"]')");
	is $ann->value($size), $usual, 'nor those with formatting';
};

subtest 'on a phone, in Chinese' => sub {
	my $ben = $web->enter('ben', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$ben->open_chat('ann');
	open_picker($ben);
	is_deeply $ben->value(q{(() => {const r = document.querySelector('.expressions').getBoundingClientRect(); return [r.left >= 0, r.right <= innerWidth, r.top >= 0, r.bottom <= innerHeight]})()}),
		[map { JSON::PP::true } 1 .. 4], 'it has room';
	cmp_ok $ben->value(q{document.querySelector('.emoji-row').scrollWidth}), '<=', $ben->value(q{document.querySelector('.emoji-row').clientWidth}), 'and so have its emoji';
	is $ben->value(q{document.activeElement.matches('input')}), JSON::PP::false, 'no keyboard covers it';
	is $ben->value(q{document.querySelector('[data-emoji="👍"]').getAttribute('aria-label')}), '拇指向上', 'names in Chinese';
	$ben->click('[data-emoji="😂"]')->click('[data-emoji="😂"]');
	is text($ben), '😂😂', 'touched';
	wait_found($ben->fill('.emoji-picker input', '程序员'), '🧑‍💻');
	my @nameless = grep { $_->[1] eq '' } $ben->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	is_deeply [$ben->own_faults], [], 'no fault';
};

is_deeply [$ann->own_faults], [], 'no error in the console, nothing refused by the policy';
$web->stop;
done_testing;
