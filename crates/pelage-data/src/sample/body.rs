//! Bodies and poses: limbs from joint to joint, and where the head goes. Drawn facing right, with the feet at y = 38,
//! within 50 units of (0, 0).

use super::canvas::{Canvas, Joint, Outline, Point, ellipse, limb, sin_cos};
use super::coat::{Coat, Part};
use super::random::Random;

/// The y of the feet.
pub(super) const GROUND: f32 = 38.0;

/// Proportions; 1 is typical.
pub(super) struct Build {
    /// Length of the legs.
    pub(super) leg: f32,
    /// Thickness of the torso.
    pub(super) bulk: f32,
    /// How much thinner the waist is.
    pub(super) tuck: f32,
    /// Thickness of the legs.
    pub(super) bone: f32,
    /// Size of the head.
    pub(super) head: f32,
    /// The tail.
    pub(super) tail: Tail,
}

/// The shape of a tail.
pub(super) struct Tail {
    pub(super) length: f32,
    /// Degrees above the horizontal at the root.
    pub(super) rise: f32,
    /// Upward bend of the first and second half, in degrees.
    pub(super) bends: [f32; 2],
    /// Radii at the root, in the middle and at the tip.
    pub(super) radii: [f32; 3],
}

/// The pose of the body.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pose {
    /// Head and shoulders.
    Portrait,
    /// Sitting, seen from the front.
    SittingFront,
    /// Sitting, seen from the side.
    SittingSide,
    /// Standing or walking.
    Standing,
    /// Lying on the belly.
    Lying,
}

/// Position and scale of the head (its unit is a tenth of its radius).
pub(super) struct HeadPlace {
    pub(super) at: Point,
    pub(super) scale: f32,
}

/// A body as layers of limbs, from back to front.
struct Layers<'a> {
    canvas: &'a mut Canvas,
    coat: &'a Coat,
    random: &'a mut Random,
}

impl Layers<'_> {
    fn paint(&mut self, outlines: &[Outline], axis: &[Joint], part: Part) {
        self.coat.paint(self.canvas, outlines, axis, part, 1.0, self.random);
    }

    /// Draws a leg with its paw.
    fn leg(&mut self, joints: &[Joint]) {
        let foot = joints[joints.len() - 1];
        let paw = ellipse(
            (foot.0 + foot.2 * 0.5, GROUND - foot.2 * 0.75),
            foot.2 * 1.35,
            foot.2 * 0.9,
        );
        self.paint(&[limb(joints), paw], joints, Part::Leg);
    }

    /// Draws a tail from its root, raised by `lift` degrees.
    fn tail(&mut self, tail: &Tail, root: Point, lift: f32) {
        const STEPS: usize = 8;
        let (mut at, mut angle) = (root, tail.rise + lift);
        let mut joints = Vec::with_capacity(STEPS + 1);
        for i in 0..=STEPS {
            let along = i as f32 / STEPS as f32 * 2.0;
            let (first, second) = (along.min(1.0), (along - 1.0).max(0.0));
            let [root, middle, tip] = tail.radii;
            let radius = root + (middle - root) * first + (tip - middle) * second;
            joints.push((at.0, at.1.min(GROUND - radius), radius));
            let (sin, cos) = sin_cos(angle);
            at = (
                at.0 - cos * tail.length / STEPS as f32,
                at.1 - sin * tail.length / STEPS as f32,
            );
            angle += tail.bends[usize::from(i >= STEPS / 2)] / (STEPS / 2) as f32;
        }
        self.paint(&[limb(&joints)], &joints, Part::Tail);
    }
}

impl Pose {
    /// Draws everything but the head and returns where that goes.
    pub(super) fn paint(self, canvas: &mut Canvas, build: &Build, coat: &Coat, random: &mut Random) -> HeadPlace {
        let mut layers = Layers { canvas, coat, random };
        match self {
            Pose::Portrait => layers.portrait(build),
            Pose::SittingFront => layers.sitting_front(build),
            Pose::SittingSide => layers.sitting_side(build),
            Pose::Standing => layers.standing(build),
            Pose::Lying => layers.lying(build),
        }
    }
}

impl Layers<'_> {
    fn portrait(&mut self, build: &Build) -> HeadPlace {
        let b = build.bulk;
        let lean = self.random.around(6.0);
        let chest = [(0.0, 12.0, 15.0 * b), (lean, 40.0, 23.0 * b), (lean, 75.0, 27.0 * b)];
        self.paint(&[limb(&chest)], &chest, Part::Chest);
        HeadPlace {
            at: (0.0, -2.0),
            scale: self.random.range(2.5, 3.0) * build.head,
        }
    }

    fn sitting_front(&mut self, build: &Build) -> HeadPlace {
        let (b, bone) = (build.bulk, build.bone);
        let side = if self.random.chance(0.5) { 1.0 } else { -1.0 };
        self.tail(&build.tail, (-11.0 * b, 31.0), if side > 0.0 { 0.0 } else { 15.0 });
        let chest = [(0.0, -6.0, 9.5 * b), (0.0, 10.0, 12.0 * b), (0.0, 26.0, 13.0 * b)];
        let haunches = [-1.0, 1.0].map(|side| ellipse((side * 11.5 * b, 27.5), 7.5 * b, 10.0));
        let [left, right] = haunches;
        self.paint(&[limb(&chest), left, right], &chest, Part::Chest);
        for side in [-1.0, 1.0] {
            let x = side * 14.0 * b;
            self.leg(&[(x - side, 33.0, 3.0 * bone), (x - 1.5, 36.0, 3.2 * bone)]);
        }
        let stance = self.random.range(4.2, 6.2);
        for side in [-1.0, 1.0] {
            let x = side * stance;
            self.leg(&[(x, 8.0, 4.6 * bone), (x, 22.0, 3.9 * bone), (x - 1.0, 35.0, 3.4 * bone)]);
        }
        HeadPlace {
            at: (self.random.around(2.0), -19.0),
            scale: 2.1 * build.head,
        }
    }

    fn sitting_side(&mut self, build: &Build) -> HeadPlace {
        let (b, bone) = (build.bulk, build.bone);
        self.tail(&build.tail, (-21.0 * b, 33.0), 0.0);
        let step = self.random.range(2.0, 6.0);
        self.leg(&[
            (7.0 + step, 4.0, 5.0 * bone),
            (8.0 + step, 22.0, 3.8 * bone),
            (8.0 + step, 35.0, 3.2 * bone),
        ]);
        let torso = [
            (-11.0, 25.0, 12.5 * b),
            (-4.0, 9.0, 11.5 * b * (1.0 - build.tuck * 0.4)),
            (5.0, -8.0, 9.5 * b),
        ];
        self.paint(&[limb(&torso)], &torso, Part::Torso);
        let haunch = [(-10.0, 26.0, 10.5 * b), (-5.0, 29.0, 8.0 * b)];
        self.paint(&[limb(&haunch)], &haunch, Part::Leg);
        self.leg(&[(-8.0, 34.5, 3.2 * bone), (1.0, 35.5, 3.2 * bone)]);
        self.leg(&[(6.0, 3.0, 5.4 * bone), (8.0, 20.0, 4.2 * bone), (7.5, 35.0, 3.4 * bone)]);
        HeadPlace {
            at: (8.0, -18.0),
            scale: 2.0 * build.head,
        }
    }

    fn standing(&mut self, build: &Build) -> HeadPlace {
        let (b, bone) = (build.bulk, build.bone);
        let back = GROUND - 34.0 * build.leg;
        self.tail(&build.tail, (-27.0, back - 3.0), 10.0);
        let stride = self.random.around(5.0);
        // Knee and heel bend the hind leg backwards; the far pair goes the other way.
        let legs = |step: f32, layers: &mut Self| {
            let knee = (back + GROUND) / 2.0;
            layers.leg(&[
                (-21.0, back + 3.0, 7.0 * bone),
                (-20.0 + step * 0.4, knee, 4.6 * bone),
                (-25.0 + step, knee + (GROUND - knee) * 0.4, 3.4 * bone),
                (-23.0 + step, GROUND - 3.0, 3.1 * bone),
            ]);
            layers.leg(&[
                (13.0, back + 4.0, 5.8 * bone),
                (13.5 - step * 0.5, knee, 4.0 * bone),
                (13.0 - step, GROUND - 3.0, 3.1 * bone),
            ]);
        };
        legs(4.0 - stride, self);
        let (rump, waist) = (
            (-20.0, back, 10.0 * b),
            (-3.0, back + 0.5, 9.8 * b * (1.0 - build.tuck)),
        );
        let torso = [rump, waist, (13.0, back - 0.5, 10.5 * b)];
        let neck = [(13.0, back - 2.0, 9.0 * b), (22.0, back - 12.0, 7.0 * b)];
        self.paint(&[limb(&torso), limb(&neck)], &torso, Part::Torso);
        legs(stride - 2.0, self);
        let nod = self.random.range(-3.0, 7.0);
        HeadPlace {
            at: (21.0, back - 18.0 + nod),
            scale: 1.9 * build.head,
        }
    }

    fn lying(&mut self, build: &Build) -> HeadPlace {
        let (b, bone) = (build.bulk, build.bone);
        self.tail(&build.tail, (-29.0, 30.0), 0.0);
        self.leg(&[
            (12.0, 33.0, 4.4 * bone),
            (24.0, 34.0, 3.6 * bone),
            (33.0, 35.0, 3.4 * bone),
        ]);
        let torso = [
            (-20.0, 26.0, 11.5 * b),
            (-3.0, 25.0, 11.0 * b * (1.0 - build.tuck * 0.5)),
            (12.0, 21.0, 11.0 * b),
        ];
        let neck = [(12.0, 18.0, 9.0 * b), (19.0, 10.0, 7.5 * b)];
        self.paint(&[limb(&torso), limb(&neck)], &torso, Part::Torso);
        let haunch = [(-19.0, 27.0, 9.5 * b), (-14.0, 30.0, 7.5 * b)];
        self.paint(&[limb(&haunch)], &haunch, Part::Leg);
        self.leg(&[(-16.0, 35.0, 3.2 * bone), (-5.0, 35.5, 3.2 * bone)]);
        self.leg(&[
            (9.0, 28.0, 5.0 * bone),
            (15.0, 34.0, 4.0 * bone),
            (27.0, 35.5, 3.5 * bone),
        ]);
        let nod = self.random.range(0.0, 9.0);
        HeadPlace {
            at: (19.0, 0.0 + nod),
            scale: 1.95 * build.head,
        }
    }
}
