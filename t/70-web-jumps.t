# SPDX-License-Identifier: BSD-2-Clause
# Proves that the chat page goes to far places in a conversation of thirty thousand messages: to a day, from the line
# between two days and from the menu, to the beginning, to what a reply quotes; that it goes on from there in both
# directions until it comes to the newest messages, without reading what lies between; and that what happens meanwhile is seen there too.
use Tidings;
use Tidings::Util qw(patience);
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
my $N = 30000;

# One an hour from 2023 on, but for a week without any, and one of the first ones deleted.
my $conversation = $t->send_text('ann', 'ben', 'message 1')->{conversation_id};
$t->dbh->do(q{UPDATE messages SET created_at = '2023-01-01 00:30:00' WHERE id = ?}, undef, $conversation * 2 ** 28 + 1);
my @rows;
for my $seq (2 .. $N) {
	my ($from, $to) = $seq % 3 ? qw(ann ben) : qw(ben ann);
	my $hours = $seq - 1 + ($seq > 10000 ? 24 * 7 : 0);
	push @rows, join ',', $conversation * 2 ** 28 + $seq, "'$from','$to',0", "'message $seq'", "'c$seq'", 1, "'2023-01-01 00:30:00' + INTERVAL $hours HOUR";
}
$t->dbh->do('INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, is_read, created_at) VALUES ' . join ',', map { "($_)" } splice @rows, 0, 1000) while @rows;
$t->dbh->do(q{UPDATE conversations SET created_at = '2023-01-01', last_seq = ?, user1_read_seq = ?, user2_read_seq = ?, user2_unread = 0, user1_last_id = ?, user2_last_id = ?, last_message_time = '2023-01-01 00:30:00' + INTERVAL ? HOUR WHERE id = ?}, undef,
	($N) x 3, ($conversation * 2 ** 28 + $N) x 2, $N - 1 + 24 * 7, $conversation);

my $ann = $web->enter('ann', width => 900, height => 700);
$ann->open_chat('ben')->wait_value(qq{[...document.querySelectorAll('.message')].at(-1)?.dataset.seq === '$N'});
my $focused = q{Number(document.activeElement.dataset.seq)};
my $in_view = q{(() => { const frame = document.querySelector('.timeline').getBoundingClientRect();
	return [...document.querySelectorAll('.message')].filter((e) => { const r = e.getBoundingClientRect(); return r.bottom > frame.top + 1 && r.top < frame.bottom - 1; }).map((e) => +e.dataset.seq); })()};
my $reads = q{performance.getEntriesByType('resource').filter(({name}) => /\/messages\?/.test(name)).length};

# The message that stands n hours after the first, by the browser's own day.
sub first_of { my ($page, $date) = @_; return $page->value(qq{(() => { const day = new Date('${date}T00:00').getTime(), first = Date.parse('2023-01-01T00:30Z'); const hours = Math.ceil((day - first) / 3600000); return hours + 1 - (hours + 1 > 10000 + 168 ? 168 : 0); })()}) }
sub choose_date { my ($page, $date) = @_; $page->wait_value(q{document.querySelector('dialog input[type=date]')}); $page->value(qq{document.querySelector('dialog input[type=date]').value = '$date'; 0}); return $page->click('dialog .primary') }

subtest 'to a day, from the menu' => sub {
	$ann->choose('.room-header', 'Go to a date');
	choose_date($ann, '2024-02-29');
	my $seq = first_of($ann, '2024-02-29');
	$ann->wait_value("$focused === $seq");
	pass "the first message of the day, $seq, has the focus";
	is $ann->count('dialog'), 0, 'the dialog is gone';
	my $view = $ann->value($in_view);
	ok((grep { $_ == $seq - 1 } @$view) && (grep { $_ == $seq + 1 } @$view), 'what is before and after it is to be seen');
	like $ann->value(q{document.activeElement.previousElementSibling.textContent}), qr/February 29/, 'under the line of the day';
	cmp_ok $ann->value($reads), '<', 40, 'few reads found it among thirty thousand';
	$ann->wait_value(q{document.querySelector('.latest').checkVisibility()});
	$ann->key('ArrowUp');
	$ann->wait_value("$focused === $seq - 1");
	$ann->key('ArrowDown', 'ArrowDown');
	$ann->wait_value("$focused === $seq + 1");
	pass 'the keys go on from there';
};

subtest 'both ways from there' => sub {
	my $seq = first_of($ann, '2024-02-29');
	# As a wheel does: what is seen is one message after another.
	my $scroll = sub { my ($step, $until) = @_; return $ann->value(qq{(async () => {
		const box = document.querySelector('.timeline'), seen = new Set(), frame = () => new Promise(requestAnimationFrame);
		for (const end = performance.now() + ${\(1000 * patience())}; performance.now() < end && !seen.has($until); await frame()) { ($in_view).forEach((seq) => seen.add(seq)); box.scrollTop += $step; }
		const all = [...seen].sort((a, b) => a - b);
		return {first: all[0], last: all.at(-1), whole: all.every((n, i) => i === 0 || n === all[i - 1] + 1)}; })()}) };
	my $down = $scroll->(300, $seq + 250);
	ok $down->{whole} && $down->{last} >= $seq + 250, 'down, without a gap' or diag explain $down;
	my $up = $scroll->(-300, $seq - 250);
	ok $up->{whole} && $up->{first} <= $seq - 250, 'up, without a gap' or diag explain $up;
	is $ann->value(q{document.querySelectorAll('.message').length < 150}), JSON::PP::true, 'with few elements';
};

subtest 'what happens meanwhile' => sub {
	my $at = $ann->value("($in_view)[2]");
	my $id = $ann->value(qq{document.querySelector('.message[data-seq="$at"]').dataset.id});
	my $sender = $ann->value(qq{document.querySelector('.message[data-seq="$at"]').matches('.own')}) ? 'ann' : 'ben';
	$t->dbh->do('UPDATE messages SET created_at = UTC_TIMESTAMP(3) WHERE id = ?', undef, $id);
	$t->api($sender)->put("/messages/$id", {content => 'changed far back'});
	$ann->wait_text(qq{.message[data-seq="$at"] .text}, 'changed far back');
	$t->api($sender)->put("/messages/$id/recall");
	$ann->wait_value(qq{document.querySelector('.message[data-seq="$at"]').matches('.recalled')});
	pass 'edits and recalls are seen there';
	$t->send_text('ben', 'ann', 'at the end');
	$ann->wait_text('.chat[data-user=ben] .preview', 'at the end')->wait_text('.latest .badge', '1');
	is $ann->value(qq{document.querySelector('.message[data-seq="$at"]').checkVisibility()}), JSON::PP::true, 'a new message leads nobody away';
	is $t->api('ann')->get('/messages/unread-count')->json->{unread_count}, 1, 'and stays unread';
	$ann->say_text('here I am')->wait_last('here I am');
	is $ann->value(q{[...document.querySelectorAll('.message')].at(-2).textContent.includes('at the end')}), JSON::PP::true, 'who writes is at the end again';
	$ann->wait_value(q{document.querySelector('.latest').hidden});
	wait_for('it to be read', sub { $t->api('ann')->get('/messages/unread-count')->json->{unread_count} == 0 });
};

subtest 'to a day, from the line of another' => sub {
	$ann->wait_value(q{document.querySelector('.day')});
	like $ann->value(q{[...document.querySelectorAll('.day')].at(-1).getAttribute('aria-label')}), qr/^Today: go to another date$/, 'the line says what it does';
	$ann->click('.separator:last-of-type .day', '');
	choose_date($ann, $ann->value(q{(() => { const d = new Date(Date.parse('2023-01-01T00:30Z') + (9999 + 80) * 3600000); return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, 0)}-${String(d.getDate()).padStart(2, 0)}`; })()}));
	$ann->wait_text('dialog .fault', 'There are no messages of this day.');
	pass 'a day without messages: it says so';
	$ann->click('dialog .nearest button')->wait_value("$focused === 10001");
	pass 'and offers the next ones';
	$ann->click('.day')->click('dialog .quiet')->wait_value("$focused === 1");
	$ann->wait_text('.row.top', 'This is the beginning');
	pass 'to the beginning';
	$ann->click('.latest')->wait_last('here I am')->wait_value(q{document.querySelector('.latest').hidden});
	pass 'and back to the end';
	$ann->choose('.room-header', 'Go to a date')->wait_value(q{document.querySelector('dialog input[type=date]')});
	$ann->value(q{document.querySelector('dialog input[type=date]').value = ''; 0});
	$ann->click('dialog .primary')->wait_text('dialog .fault', 'This is no date.')->key('Escape')->wait_gone('dialog');
	is $ann->value('document.activeElement.getAttribute("aria-haspopup")'), 'menu', 'Escape leads back to the button';
};

subtest 'from far back to the newest ones' => sub {
	$t->send_text('ben', 'ann', 'look there', reply_to => '' . ($conversation * 2 ** 28 + $N - 220));
	$ann->wait_last('look there')->value(q{window.mark = performance.getEntriesByType('resource').length; 0});
	$ann->reload->wait_online->wait_last('look there')->click('.message:last-child .quote')->wait_value("$focused === $N - 220");
	pass 'a reply leads far up';
	ok !$ann->value(q{document.querySelector('.latest').hidden}), 'from where there is a way back';
	# However long what comes next takes.
	$ann->wait_value(q{(() => { document.querySelector('.timeline').scrollTop += 400; return document.querySelector('.latest').hidden; })()});
	$ann->wait_last('look there');
	pass 'scrolling down comes to the newest message';
	$t->send_text('ben', 'ann', 'and on');
	$ann->wait_last('and on')->wait_value(q{document.querySelector('.latest').hidden});
	pass 'where it stays at the end';
};

subtest 'a group' => sub {
	my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
	$web->say_in('ben', $group, "line $_") for 1 .. 3;
	$ann->open_group($group)->wait_last('line 3')->choose('.room-header', 'Go to a date');
	$ann->wait_value(q{document.querySelector('dialog input[type=date]').value === document.querySelector('dialog input[type=date]').max});
	$ann->click('dialog .primary')->wait_value(q{document.activeElement.matches('.system')});
	pass 'the first of today is what happened to the group';
	is_deeply [$ann->own_faults], [], 'no fault in the console';
};

$web->stop;
done_testing;
