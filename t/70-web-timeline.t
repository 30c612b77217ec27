# SPDX-License-Identifier: BSD-2-Clause
# Proves that the chat page scrolls through ten thousand messages: all of them, in order, with few elements, and what is
# looked at stays where it is while older ones come in above, new ones below, and pictures take their room.
use Tidings;
use Tidings::Web;
use Tidings::Util qw(patience spew);

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
my $N = 10000;

# Lengths differ, so that heights do.
my $conversation = $t->send_text('ann', 'ben', 'message 1')->{conversation_id};
my @rows;
for my $seq (2 .. $N) {
	my ($from, $to) = $seq % 3 ? qw(ann ben) : qw(ben ann);
	push @rows, join ',', $conversation * 2 ** 28 + $seq, "'$from','$to',0", "'message $seq" . ' and more' x ($seq % 7 ? $seq % 3 : 40) . "'", "'c$seq'", 1, "'2026-01-01' + INTERVAL $seq MINUTE";
}
$t->dbh->do('INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, is_read, created_at) VALUES ' . join ',', map { "($_)" } splice @rows, 0, 1000) while @rows;
$t->dbh->do('UPDATE conversations SET last_seq = ?, user1_read_seq = ?, user2_read_seq = ?, user2_unread = 0, user1_last_id = ?, user2_last_id = ? WHERE id = ?', undef,
	($N) x 3, ($conversation * 2 ** 28 + $N) x 2, $conversation);

# rest(): the timeline comes to rest now, and not when its time has come.
my $ann = $web->enter('ann', width => 900, height => 700, before => q{
	const later = window.setTimeout;
	window.setTimeout = (act, delay, ...args) => {
		if (delay === 120)
			window.rest = act;
		return later(act, delay, ...args);
	};
});
$ann->open_chat('ben')->wait_value(qq{[...document.querySelectorAll('.message')].at(-1)?.dataset.seq === '$N'});

# Where a message is on the screen.
my $top_of = q{(seq) => document.querySelector(`.message[data-seq="${seq}"]`)?.getBoundingClientRect().top ?? null};
my $in_view = q{(() => { const frame = document.querySelector('.timeline').getBoundingClientRect();
	return [...document.querySelectorAll('.message')].filter((e) => { const r = e.getBoundingClientRect(); return r.bottom > frame.top + 1 && r.top < frame.bottom - 1; }).map((e) => +e.dataset.seq); })()};

subtest 'up to the first, keeping the place' => sub {
	# In steps of less than a viewport (a tall one, to be done soon), as a wheel does. Each step moves what is seen by that
	# step, whatever was loaded or measured meanwhile.
	$ann->resize(900, 2500);
	$ann->value(qq{void (async () => {
		const box = document.querySelector('.timeline'), topOf = $top_of, frame = () => new Promise(requestAnimationFrame);
		const seen = new Set(), STEP = 2100;
		// The larger viewport has been filled, and stays so.
		for (let filled = 0; filled < 20; await frame())
			filled = topOf(($in_view)[0]) < 70 && topOf($N) > 2000 ? filled + 1 : 0;
		let jumps = [], elements = 0, frames = 0, slow = 0;
		while (!seen.has(1) && frames < 2000) {
			const list = $in_view;
			list.forEach((seq) => seen.add(seq));
			const mark = list[0], before = topOf(mark), from = box.scrollTop;
			const begun = performance.now();
			box.scrollTop -= STEP;
			const step = from - box.scrollTop;
			await frame();
			const after = topOf(mark);
			// At the upper edge of what is loaded there may be less to go than was thought, and the first message may
			// become another few pixels high once the one before it is there.
			const atEdge = step < STEP, moved = after - before;
			if (after === null || moved < (atEdge ? 0 : step) - 2 || moved > step + (atEdge ? 12 : 2))
				jumps.push([mark, before, after, step]);
			slow = Math.max(slow, performance.now() - begun);
			elements = Math.max(elements, document.querySelectorAll('.row').length);
			frames += step > 0 ? 1 : 0; // at the edge it waits for older ones
		}
		window.ran = {first: seen.has(1), count: seen.size, jumps: jumps.slice(0, 5), jumped: jumps.length, elements, frames, slow};
	})()});
	my $run = wait_for('the first message', sub { $ann->value('window.ran') }, 10 * patience());
	$ann->resize(900, 700);
	ok $run->{first}, 'the first message is reached';
	is $run->{count}, $N, 'and every other was seen on the way';
	is $run->{jumped}, 0, 'nothing jumped' or diag explain $run->{jumps};
	cmp_ok $run->{elements}, '<', 150, 'few are elements at a time';
	diag "$run->{frames} steps, at most $run->{elements} rows, the slowest step " . int($run->{slow}) . ' ms';
	$ann->wait_text('.row.top', 'beginning');
	is_deeply $ann->value(q{[...document.querySelectorAll('.message')].map((e) => +e.dataset.seq).slice(0, 5)}), [1 .. 5], 'in order';
};

subtest 'at rest, and what comes in' => sub {
	# To the middle, by a leap that ends within a tall message. How tall a message is depends on the width, so that those
	# below it would move if it were the one that stays.
	$ann->value(q{document.querySelector('.timeline').scrollTop = document.querySelector('.timeline').scrollHeight / 2});
	my $tall = $ann->wait_value(q{(() => { const tall = [...document.querySelectorAll('.message')].find((e) => e.dataset.seq > 4000 && e.dataset.seq % 7 === 0);
		return tall && [+tall.dataset.seq, document.querySelector('.timeline').scrollTop + tall.getBoundingClientRect().top - document.querySelector('.timeline').getBoundingClientRect().top + 90]; })()});
	$ann->value(q{document.querySelector('.timeline').scrollTop = 0});
	$ann->wait_value(qq{($in_view).includes(1)});
	$ann->value("document.querySelector('.timeline').scrollTop = $tall->[1]");
	my $mark = $ann->wait_value("($in_view)[1]");
	# The space above is put right when the scrolling has ended, unseen.
	my $top = $ann->value("($top_of)($mark)");
	my $unread = $ann->value(q{document.querySelector('.latest .badge').hidden});
	ok $unread, 'nothing is new' or diag $ann->value(q{document.querySelector('.jumps').outerHTML + ' ' + document.title});
	$t->send_text('ben', 'ann', 'something new');
	$ann->wait_text('.latest .badge', '1');
	cmp_ok abs($ann->value("($top_of)($mark)") - $top), '<', 1, 'a new message moves nothing, and is counted';
	is $t->api('ann')->get('/messages/unread-count')->json->{unread_count}, 1, 'nor is it read before it is seen';
	my $height = qq{document.querySelector('.message[data-seq="$tall->[0]"]').offsetHeight};
	my $before = $ann->value($height);
	$ann->resize(1300, 700);
	$ann->wait_value("$height < $before - 20");
	$ann->wait_value("Math.abs(($top_of)($mark) - $top) < 2");
	pass 'a wider window leaves the message where it was';
	$ann->resize(700, 700);
	$ann->wait_value("Math.abs(($top_of)($mark) - $top) < 2");
	pass 'and so does a narrow one';
	$ann->click('.latest')->wait_last('something new');
	$ann->wait_value(q{document.querySelector('.latest').hidden});
	wait_for('it to be read', sub { $t->api('ann')->get('/messages/unread-count')->json->{unread_count} == 0 });
	pass 'one button leads to it, and then it is read';
};

subtest 'a leap that comes as it is about to rest' => sub {
	$ann->value(q{document.querySelector('.timeline').scrollTop = document.querySelector('.timeline').scrollHeight / 2});
	$ann->wait_value("($in_view)[0] > 1000");
	$ann->value(q{(() => { document.querySelector('.timeline').scrollTop = 0; rest(); })()});
	$ann->wait_value("($in_view).includes(1)");
	pass 'is followed';
	$ann->click('.latest')->wait_last('something new');
};

subtest 'at the end it stays at the end' => sub {
	my $at_end = q{(() => { const t = document.querySelector('.timeline'); return t.scrollHeight - t.scrollTop - t.clientHeight < 2; })()};
	$t->send_text('ben', 'ann', "line\n" x 20 . "last $_") for 1 .. 3;
	$ann->wait_text('.message', 'last 3')->wait_value($at_end);
	spew($web->root . '/tall.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="300"><rect width="200" height="300" fill="teal"/></svg>');
	$t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'image', media_url => $web->address . '/tall.svg'});
	$ann->wait_value(q{document.querySelector('.media-image img')?.naturalHeight === 300});
	$ann->wait_value($at_end);
	pass 'also when a picture of unknown size comes in';
	my $oldest = $t->api('ann')->get("/messages/conversations/$conversation/messages?before=3&limit=1")->json->{items}[0];
	$t->send_text('ben', 'ann', 'far up', reply_to => $oldest->{id});
	my $fresh = $web->enter('ann');
	$fresh->open_chat('ben')->wait_last('far up')->click('.message.other .quote', 'earlier');
	$fresh->wait_value(q{document.activeElement.dataset.seq === '2'});
	is_deeply $fresh->value("($in_view).slice(0, 2).every((seq) => seq < 10)"), JSON::PP::true, 'a reply leads to a message ten thousand further up';
	is_deeply [$fresh->own_faults], [], 'no fault in the console';
};

is_deeply [$ann->own_faults], [], 'no fault in the console';
$web->stop;
done_testing;
