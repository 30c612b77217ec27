# SPDX-License-Identifier: BSD-2-Clause
# Proves that the chat page shows the beginning of a long list, of conversations, friends and those to choose from, and more
# of it as one scrolls or walks through it: with thousands of them it would stand still.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $COUNT = 250;
my $web = Tidings::Web->start(conf => {limits => {requests_per_second => 1000, requests_burst => 10000}});
my $t = $web->t;
my @people = map { sprintf 'p%03d', $_ } 1 .. $COUNT;
$t->befriend(qw(ann ben));
$t->dbh->do('INSERT INTO users (id, nickname) VALUES ' . join ',', map { "('$_', 'Person $_')" } @people);
$t->dbh->do('INSERT INTO friendships (user_id, friend_id) VALUES ' . join ',', map { ("('ann', '$_')", "('$_', 'ann')") } @people);
$t->send_text($_, 'ann', "hello from $_") for @people;
my $ann = $web->enter('ann');
$ann->wait_value("document.title.startsWith('($COUNT)')");

sub users { my ($selector) = @_; return $ann->value("[...document.querySelectorAll('$selector')].map((e) => e.dataset.user)") }
sub to_end { my ($panel) = @_; $ann->value("(() => { const p = document.querySelector('$panel'); p.scrollTop = p.scrollHeight; })()"); return $ann }

subtest 'conversations' => sub {
	is_deeply users('.chat'), [reverse @people[150 .. 249]], 'the latest hundred';
	to_end('#panel-chats')->wait_count('.chat', 200);
	to_end('#panel-chats')->wait_count('.chat', $COUNT);
	is_deeply users('.chat'), [reverse @people], 'all of them on scrolling';
	$ann->reload->wait_online->wait_value("document.title.startsWith('($COUNT)')");
	is $ann->count('.chat'), 100, 'the beginning again';
	$ann->click('.filter')->key('ArrowDown');
	for my $n (1 .. 110) {
		$ann->key('ArrowDown');
		$ann->wait_value(q{[...document.querySelectorAll('.chat')].indexOf(document.activeElement) === } . $n) if $n > 90;
	}
	is $ann->value('document.activeElement.dataset.user'), $people[249 - 110], 'with the arrow keys too';
	$t->send_text('p001', 'ann', 'again');
	$ann->wait_value(q{document.querySelector('.chat').dataset.user === 'p001'});
	pass 'who is not shown comes to the top with a message';
	$ann->fill('.filter', 'person p02');
	$ann->wait_count('.chat', 10);
	is_deeply users('.chat'), [reverse @people[19 .. 28]], 'one that is not shown is found by name';
	$ann->fill('.filter', 'person')->wait_count('.chat', 50);
	to_end('#panel-chats');
	is $ann->value(q{document.querySelector('.found-messages').checkVisibility()}), JSON::PP::true, 'messages are under those that are found';
	$ann->key('Escape')->wait_value(q{!document.querySelector('.found-messages').checkVisibility()});
};

subtest 'friends' => sub {
	$ann->click('#tab-friends')->wait_count('[data-section=friends] .person', 100);
	is users('[data-section=friends] .person')->[0], 'ben', 'in the order of their names';
	to_end('#panel-friends')->wait_count('[data-section=friends] .person', 200);
	to_end('#panel-friends')->wait_count('[data-section=friends] .person', $COUNT + 1);
	is users('[data-section=friends] .person')->[-1], 'p250', 'all of them on scrolling';
};

subtest 'friends to choose from' => sub {
	$ann->click('#tab-chats')->click('.new-group')->wait_count('.picks li', 100);
	$ann->fill('.picker .filter', 'p250');
	$ann->wait_count('.picks li', 1)->click('.picks input')->fill('.picker .filter', 'p00');
	$ann->wait_count('.picks li', 9);
	is $ann->count('.chips li'), 1, 'what is chosen stays so';
};

is_deeply [$ann->take_faults], [], 'no faults';
$web->stop;
done_testing;
