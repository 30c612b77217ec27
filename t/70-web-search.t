# SPDX-License-Identifier: BSD-2-Clause
# Proves searching messages on the chat page: everywhere, from the head of the list, and in one conversation; what is
# found with its words marked, newest first, more on scrolling; filters; to a message however far back it is; words
# within formatting, links and hidden text; what is recalled meanwhile; and what it says without an index.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start(conf => {limits => {sends_per_second => 1000, burst => 10000, requests_per_second => 1000, requests_burst => 10000}});
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->dbh->do('UPDATE users SET nickname = ? WHERE id = ?', undef, 'Ben Miller', 'ben');
my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
my @said = map { $web->say_in($_ % 2 ? 'ben' : 'ann', $group, $_ % 10 ? "line $_" : "the train number $_ leaves") } 1 .. 400;
my $rich = $web->say_in('cat', $group, 'bold train, https://example.org/train and a secret train here', entities => [{type => 'bold', offset => 0, length => 10}, {type => 'spoiler', offset => 44, length => 12}]);
$t->send_text('ben', 'ann', '我们坐火车去爬山吧');
my $file = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'file', media_url => 'https://example.org/x', extra => {file_name => 'train table.pdf'}})->json;
$t->send_text('ann', 'cat', 'my own train');
sub found { my ($q) = @_; my $r = $t->api('ann')->get('/messages/search?limit=1&q=' . $q); return $r->status == 200 && $r->json->{items}[0] }
wait_for('all to be found', sub { my $item = found('own%20train'); $item && found('secret') });

# Which messages have flashed, which they do not do for long.
my $keep_flashes = q{window.flashed = []; new MutationObserver((changes) => changes.forEach(({target}) => target.matches('.message.flash') && flashed.push(target.textContent)))
	.observe(document, {attributes: true, attributeFilter: ['class'], subtree: true});};
my $ann = $web->enter('ann', width => 1000, height => 700, before => $keep_flashes);
$ann->wait_text('.chat .name', 'Cat'); # the names of people come with the conversations
sub results { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.result')].map((e) => e.querySelector('.result-text').textContent)}) }
sub wait_first { my ($page, $text) = @_; my $s = JSON::PP->new->allow_nonref->encode($text); $page->wait_value("document.querySelector('.result .result-text')?.textContent === $s"); return $page }
my $place = q{document.querySelector('.search-place').textContent};
my $focused = q{Number(document.activeElement.dataset.seq)};

subtest 'everywhere' => sub {
	$ann->type('.filter', 'TRAIN');
	wait_first($ann, 'You: my own train');
	my $all = results($ann);
	is $all->[1], 'train table.pdf', 'newest first; by the name of a file';
	is $all->[2], 'Cat: bold train, https://example.org/train and a ▒▒▒▒▒▒▒▒▒▒▒▒ here', 'what is hidden stays so';
	is_deeply $ann->value(q{[...document.querySelectorAll('.result')][2].querySelectorAll('mark').length}), 2, 'the words are marked';
	is $ann->value(q{document.querySelector('.result mark').textContent}), 'train', 'whatever the case';
	is $ann->value(q{document.querySelectorAll('.result')[3].querySelector('.name').textContent}), 'Walkers', 'where it was said';
	is $ann->count('.result'), 30, 'a page of them';
	like $ann->value(q{document.querySelector('.search-results [role=status]').textContent}), qr/^30 messages found, and there are more$/, 'for a screen reader too';
	$ann->value(q{(() => { const p = document.querySelector('#panel-chats'); p.scrollTop = p.scrollHeight; })()});
	$ann->wait_count('.result', 43);
	pass 'more on scrolling';
	$ann->value(q{document.querySelector('#panel-chats').scrollTop = 0; 0});
	$ann->fill('.filter', 'walk');
	$ann->wait_text('.chat', 'Walkers')->wait_text('.search-note', 'No messages found.');
	pass 'conversations are found as before, above';
	$ann->fill('.filter', '火车');
	wait_first($ann, '我们坐火车去爬山吧');
	is $ann->value(q{document.querySelector('.result mark').textContent}), '火车', 'in Chinese';
	$ann->fill('.filter', '"number 200');
	wait_first($ann, 'You: the train number 200 leaves');
	$ann->fill('.filter', 'xyzzy');
	$ann->wait_text('.search-note', 'No messages found.');
};

subtest 'to the message' => sub {
	$ann->fill('.filter', '"20 leaves" train');
	wait_first($ann, 'You: the train number 20 leaves');
	$ann->key('ArrowDown')->wait_value(q{document.activeElement.matches('.result')});
	$ann->key('Enter')->wait_value("$focused === $said[19]{seq}");
	pass 'with keys alone, to one that is far back';
	like join('|', @{$ann->value(q{[...document.activeElement.querySelectorAll('mark')].map((e) => e.textContent)})}), qr/^train\|20( leaves|\|leaves)$/, 'its words are marked';
	ok $ann->value('document.querySelectorAll(".message").length < 150'), 'what lies between is not loaded';
	$ann->fill('.filter', 'secret');
	$ann->wait_text('.result', 'bold train')->click('.result')->wait_value("$focused === $rich->{seq}");
	is_deeply $ann->value(q{[...document.activeElement.querySelectorAll('mark')].map((e) => [e.textContent, e.closest('.spoiler .inside')?.inert ?? null])}), [['secret', JSON::PP::true]], 'hidden text stays hidden';
	$ann->fill('.filter', 'table');
	$ann->wait_text('.result', 'train table.pdf')->click('.result')->wait_value("document.activeElement.dataset.id === '$file->{id}'");
	is $ann->value(q{document.querySelector('.room-title h2').textContent}), 'Ben Miller', 'in another conversation';
	$ann->key('Escape');
	is $ann->value(q{document.querySelector('.filter').value}), 'table', 'the search stays';
	$ann->click('.filter')->key('Escape')->wait_value(q{document.querySelector('.filter').value === '' && !document.querySelector('.found-messages').checkVisibility()});
	pass 'Escape ends it';
};

subtest 'in one conversation' => sub {
	$ann->open_group($group)->key('Control+f')->wait_value(q{document.activeElement.matches('.room-search input')});
	$ann->insert('train');
	$ann->wait_count('.room-search .result', 30);
	is $ann->value(q{document.querySelector('.room-search .result .name').textContent}), 'Cat', 'who said it';
	$ann->key('Enter')->wait_value("$place === '1/30+'");
	is_deeply $ann->value(q{[...document.querySelectorAll('.message[data-id="} . $rich->{id} . q{"] mark')].map((e) => [e.textContent, e.closest('strong') !== null, e.closest('a') !== null])}),
		[['train', JSON::PP::true, JSON::PP::false], ['train', JSON::PP::false, JSON::PP::true], ['train', JSON::PP::false, JSON::PP::false]], 'within formatting and links';
	is $ann->value(q{document.querySelector('.message[data-id="} . $rich->{id} . q{"] a').href}), 'https://example.org/train', 'which stay what they are';
	is $ann->value(q{document.activeElement.matches('.room-search input')}), JSON::PP::true, 'the focus stays in the field';
	$ann->key('Enter')->wait_value("$place === '2/30+'");
	$ann->click('.room-search .icon-button[title="To an older one"]')->wait_value("$place === '3/30+'");
	$ann->wait_value(q{flashed.some((text) => text.includes('number 390'))});
	$ann->key('Shift+Tab');
	$ann->click('.room-search .icon-button[title="To a newer one"]')->wait_value("$place === '2/30+'");
	pass 'older and newer';
	$ann->click('.room-search .filter')->key('ArrowDown')->wait_value(q{document.activeElement.matches('.room-search .result')});
	$ann->key('ArrowDown', 'ArrowDown')->key('Enter')->wait_value("$focused === $said[389]{seq}");
	pass 'and from the list';
	$ann->key('Control+f')->wait_value(q{document.activeElement.matches('.room-search input')});
	$ann->click('.room-search .filter-button')->wait_value(q{document.querySelector('.room-search .search-filters').checkVisibility()});
	$ann->select('.room-search select >> nth=1', 'cat');
	$ann->wait_count('.room-search .result', 1)->wait_text('.room-search .filter-button', 'Filters (1)');
	pass 'from one person';
	$ann->click('.room-search .search-filters .link')->wait_count('.room-search .result', 30);
	$ann->value(q{(() => { const s = document.querySelector('.room-search input[type=date]'); s.value = '2100-01-01'; s.dispatchEvent(new Event('change', {bubbles: true})); })()});
	$ann->wait_text('.room-search .search-note', 'No messages found.');
	pass 'since a day';
	$ann->key('Escape')->wait_value(q{!document.querySelector('.room-search').checkVisibility()});
	$ann->wait_gone('.message mark');
	is $ann->value('document.activeElement.id'), 'compose', 'Escape ends it';
	is_deeply [grep { $_->[1] eq '' } do { $ann->key('Control+f'); $ann->accessible }], [], 'everything has a name';
	$ann->key('Escape');
};

subtest 'what happens meanwhile' => sub {
	my $gone = $t->send_text('ben', 'ann', 'the last train');
	wait_for('it to be found', sub { found('last%20train') });
	$ann->fill('.filter', 'last train');
	wait_first($ann, 'the last train');
	$t->api('ben')->put("/messages/$gone->{id}/recall");
	$ann->wait_gone('.result');
	pass 'what is recalled is not listed any longer';
	my $edited = $t->send_text('ben', 'ann', 'a night train');
	wait_for('it to be found', sub { found('night') });
	$ann->fill('.filter', 'night');
	wait_first($ann, 'a night train');
	$ann->click('.result')->wait_value(q{document.querySelector('.message mark')});
	$t->api('ben')->put("/messages/$edited->{id}", {content => 'no more night trains'});
	$ann->wait_last('no more night trains');
	is $ann->count('.message mark'), 0, 'an edit moves the words: nothing wrong is marked';
	$ann->fill('.filter', '');
};

subtest 'on a phone, in Chinese' => sub {
	my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->click('.filter')->insert('train')->wait_value(q{document.querySelector('.result')});
	$phone->click('.result', 'number 400')->wait_value(q{document.querySelector('.message mark')});
	$phone->click('.room-header .back')->wait_value(q{document.querySelector('.result').checkVisibility() && document.querySelector('.filter').value === 'train'});
	pass 'back to what was found';
	$phone->click('.result', 'my own')->wait_value(q{document.querySelector('.room-title h2').textContent === 'Cat'});
	$phone->click('.room-header .more')->click('[role=menuitem]', '搜索')->insert('own')->wait_value(q{document.querySelector('.room-search .result')});
	ok $phone->value(q{(() => { const r = document.querySelector('.room-search').getBoundingClientRect(), l = document.querySelector('.room-results').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && l.bottom <= innerHeight && document.documentElement.scrollWidth <= innerWidth })()}), 'it fits';
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [$ann->own_faults], [], 'no error in the console, nothing refused by the policy';
$web->stop;

subtest 'a server that does not search' => sub {
	my $off = Tidings::Web->start(conf => {search => {backend => 'off'}});
	$off->t->befriend(qw(ann ben));
	$off->t->send_text('ben', 'ann', 'a train');
	my $page = $off->enter('ann');
	$page->type('.filter', 'train')->wait_text('.search-note', 'This server does not search messages.');
	pass 'says so';
	$off->stop;
};
done_testing;
