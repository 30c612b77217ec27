# SPDX-License-Identifier: BSD-2-Clause
# Proves that a sticker comes to whom it was sent, whatever its sender asks for next. To whom was not kept while the sticker
# was looked up: it was read from the memory that the next frame had been parsed into.
use Tidings;
use JSON::PP ();
use Tidings::Pack qw(png write_pack);

my $t = Tidings->start(workers => 1);
$t->befriend(qw(alice bob));
$t->befriend(qw(alice eve));
$t->node->ctl_ok('stickers', 'import', write_pack(Tidings::dir() . '/p', id => 'p', title => 'P', files => {'a.png' => png(1)}, stickers => [[a => 'a.png', "\x{1f600}"]]));
my $ws = $t->ws('alice');
my %to = (message_type => 'sticker', extra => {pack => 'p', sticker => 'a'});
for my $round (1 .. 5) {
	# In one piece, so that all of it is read before the database answers.
	my @frames = map { {type => 'send', ref => "$round-$_", %to, to_user_id => $_ % 2 ? 'bob' : 'eve'} } 1 .. 10;
	$ws->raw(join '', map { $ws->frame('text', JSON::PP->new->canonical->encode($_)) } @frames);
	my @answers = map { $ws->answer($_->{ref}) } @frames;
	is_deeply [map { $_->{message}{to_user_id} } @answers], [map { $_->{to_user_id} } @frames], "$round: each has the one it was sent to" or diag(explain \@answers);
}
$ws->close;
$t->stop;
done_testing;
